/** Rows as people and models read them: a Markdown table. */

/**
 * @param {readonly { name: string }[]} columns
 * @param {readonly unknown[][]} rows
 */
export function tableText(columns, rows) {
  if (columns.length === 0) return `${rows.length} rows without columns`
  const header = line(columns.map(column => column.name))
  return [header, line(columns.map(() => '---')), ...rows.map(line)].join('\n')
}

/** @param {readonly unknown[]} values */
function line(values) {
  return `| ${values.map(cellText).join(' | ')} |`
}

/** @param {unknown} value */
function cellText(value) {
  if (value === null) return 'NULL'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.replaceAll('|', '\\|').replaceAll('\r', '').replaceAll('\n', '⏎')
}
