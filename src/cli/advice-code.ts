/** The program for a platform that loads a module rather than starting a command. */

export interface ServerlessCode {
  readonly platform: 'fetch' | 'lambda'
  readonly streams: boolean
  readonly stateKey: boolean
  readonly publicUrl: string
  /** The authorization server; without one, keys. */
  readonly issuer: string | undefined
}

export function serverlessCode({ platform, streams, stateKey, publicUrl, issuer }: ServerlessCode): string {
  const lambda = platform === 'lambda'
  const make = streams ? 'streamedLambdaHandler' : 'lambdaHandler'
  const method = issuer === undefined ? 'apiKeys' : 'introspection'
  const credentials =
    issuer === undefined
      ? [`apiKeys({ keys: JSON.parse(process.env.ANYPORT_KEYS ?? '{"keys":[]}').keys })`]
      : [
          'introspection({',
          `      issuer: '${issuer}',`,
          `      url: '${issuer.replace(/\/+$/, '')}/introspect',`,
          `      clientId: process.env.AUTH_CLIENT_ID ?? '',`,
          `      clientSecret: process.env.AUTH_CLIENT_SECRET ?? '',`,
          `      audience: ['${publicUrl}', '${publicUrl}/mcp'],`,
          '    })',
        ]
  const imports = lambda
    ? [
        `import { ${[method, 'httpAccess'].sort().join(', ')} } from 'anyport/fetch'`,
        `import { fromSdk, ${make} } from 'anyport/lambda'`,
      ]
    : [
        `import { ${[method, 'fetchHandler', 'fromSdk', 'httpAccess'].sort().join(', ')} } from 'anyport/fetch'`,
      ]
  return [
    `import { McpServer } from '@modelcontextprotocol/server'`,
    `import { serveStdio } from '@modelcontextprotocol/server/stdio'`,
    ...imports,
    '',
    'const make = () => {',
    `  const server = new McpServer({ name: 'yours', version: '1.0.0' })`,
    '  // register your tools here',
    '  return server',
    '}',
    'const options = {',
    `  publicUrl: '${publicUrl}',`,
    '  access: httpAccess({ authentication: { methods: [',
    `    ${credentials.join('\n')},`,
    '  ] } }),',
    ...(stateKey ? ['  stateKey: process.env.ANYPORT_STATE_KEY,'] : []),
    '}',
    `const handler = ${lambda ? make : 'fetchHandler'}(fromSdk(transport => serveStdio(make, { transport })), options)`,
    '',
    lambda ? 'export { handler }' : 'export default { fetch: handler }',
    '',
  ].join('\n')
}
