/** The conversation that README.md shows, as it happens: node test/transcript.js */

import { pathToFileURL } from 'node:url'
import { connectV2 } from './clients.js'
import { command } from './program.js'

/** @type {readonly { tool: string, arguments: object, answer?: object }[]} */
const CALLS = [
  { tool: 'list_tables', arguments: {} },
  {
    tool: 'query',
    arguments: {
      sql: 'SELECT country, revenue FROM revenue_by_country WHERE revenue > $1 ORDER BY revenue DESC',
      parameters: [2000],
      limit: 3,
    },
  },
  { tool: 'query', arguments: { sql: 'DELETE FROM orders' } },
  { tool: 'query', arguments: { sql: 'SELECT 1; COMMIT; DELETE FROM orders' } },
  { tool: 'query', arguments: { sql: "SELECT pg_read_file('postgresql.conf')" } },
  { tool: 'query', arguments: { sql: 'SELECT nme FROM customers' } },
  {
    tool: 'execute',
    arguments: { sql: 'UPDATE orders SET status = $1 WHERE status = $2', parameters: ['paid', 'open'] },
    answer: { action: 'decline' },
  },
  {
    tool: 'execute',
    arguments: {
      sql: 'UPDATE products SET price = price * 1.1 WHERE id = $1 RETURNING name, price',
      parameters: [2],
    },
    answer: { action: 'accept', content: { run: true } },
  },
]

/** @returns {Promise<string>} */
export async function transcript() {
  /** @type {string[]} */
  const lines = []
  /** @type {object | undefined} */
  let answer
  const elicit = (/** @type {{ message: string }} */ { message }) => {
    lines.push('', indented('? ', message), '', `! ${JSON.stringify(answer)}`)
    return answer
  }
  const client = await connectV2(command(['--allow-writes']), 'modern', { elicit })
  try {
    for (const call of CALLS) {
      answer = call.answer
      lines.push('', `> ${call.tool} ${JSON.stringify(call.arguments)}`)
      const { content } = await client.call(call.tool, call.arguments)
      lines.push('', content[0].text)
    }
  } finally {
    await client.close()
  }
  return lines.slice(1).join('\n')
}

/**
 * @param {string} mark
 * @param {string} text
 */
function indented(mark, text) {
  return text
    .split('\n')
    .map(line => `${mark}${line}`.trimEnd())
    .join('\n')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(await transcript())
