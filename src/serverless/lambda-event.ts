/**
 * What calls a Lambda function over HTTP, as a web-standard request: API Gateway (REST APIs, format 1.0, and HTTP APIs,
 * format 2.0), function URLs (as 2.0), and Application Load Balancers (as 1.0, with or without multi-value headers).
 */

/** The fields that are read, of all four. */
export interface LambdaEvent {
  readonly version?: string
  readonly httpMethod?: string
  readonly path?: string
  readonly rawPath?: string
  readonly rawQueryString?: string
  readonly headers?: Readonly<Record<string, string | undefined>> | null
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null
  readonly queryStringParameters?: Readonly<Record<string, string | undefined>> | null
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[] | undefined>> | null
  readonly cookies?: readonly string[]
  readonly body?: string | null
  readonly isBase64Encoded?: boolean
  readonly requestContext?: {
    readonly http?: { readonly method?: string; readonly path?: string }
    readonly domainName?: string
    readonly path?: string
    readonly stage?: string
    readonly elb?: object
  }
}

export interface LambdaContext {
  getRemainingTimeInMillis?(): number
}

export interface LambdaResult {
  readonly statusCode: number
  readonly statusDescription?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>
  readonly body: string
  readonly isBase64Encoded: boolean
}

/**
 * Throws `TypeError` for an event that is no HTTP request; undefined for a request that is malformed, which is its client's fault:
 * a host that is none would become a part of the path.
 */
export function requestOf(event: LambdaEvent, basePath: string, signal: AbortSignal): Request | undefined {
  const method = event.requestContext?.http?.method ?? event.httpMethod
  const path = event.rawPath ?? event.path
  if (method === undefined || path === undefined) {
    throw new TypeError(
      'The event is no HTTP request of API Gateway, a function URL or a load balancer: it has no method or no path',
    )
  }
  try {
    return madeOf(event, method, path, basePath, signal)
  } catch {
    return undefined
  }
}

const HOST = /^(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i

/** Throws for what a `Request` cannot hold. */
function madeOf(
  event: LambdaEvent,
  method: string,
  path: string,
  basePath: string,
  signal: AbortSignal,
): Request | undefined {
  const headers = headersOf(event)
  const host = headers.get('host') ?? event.requestContext?.domainName ?? 'localhost'
  if (!HOST.test(host)) return undefined
  const scheme = headers.get('x-forwarded-proto') === 'http' ? 'http' : 'https'
  const query = queryOf(event)
  const url = `${scheme}://${host}${without(path, event, basePath)}${query === '' ? '' : `?${query}`}`
  const bare = method === 'GET' || method === 'HEAD'
  return new Request(url, { method, headers, signal, ...(bare ? {} : { body: bodyOf(event) }) })
}

/** The reply in the form that the event's sender takes. */
export async function resultOf(event: LambdaEvent, response: Response): Promise<LambdaResult> {
  const headers = Object.fromEntries(response.headers)
  const result = { statusCode: response.status, body: await response.text(), isBase64Encoded: false }
  if (event.requestContext?.elb === undefined) return { ...result, headers }
  // A load balancer takes the kind of headers that it sends, and only that.
  const status = { statusDescription: `${response.status} ${response.statusText}`.trim() }
  if (event.multiValueHeaders == null) return { ...result, ...status, headers }
  const lists = Object.entries(headers).map(([name, value]) => [name, [value]] as const)
  return { ...result, ...status, multiValueHeaders: Object.fromEntries(lists) }
}

function headersOf({ headers, multiValueHeaders, cookies }: LambdaEvent): Headers {
  const all = new Headers()
  for (const [name, values] of Object.entries(multiValueHeaders ?? {}))
    for (const value of values ?? []) all.append(name, value)
  for (const [name, value] of Object.entries(headers ?? {}))
    if (value !== undefined && !all.has(name)) all.set(name, value)
  if (cookies !== undefined && cookies.length > 0) all.set('cookie', cookies.join('; '))
  return all
}

function queryOf(event: LambdaEvent): string {
  if (event.rawQueryString !== undefined) return event.rawQueryString
  // Load balancers pass them as they were sent, API Gateway decodes them.
  const encode = event.requestContext?.elb === undefined ? encodeURIComponent : (text: string) => text
  const parts: string[] = []
  const add = (name: string, value: string) => parts.push(`${encode(name)}=${encode(value)}`)
  const lists = event.multiValueQueryStringParameters ?? {}
  for (const [name, values] of Object.entries(lists)) for (const value of values ?? []) add(name, value)
  for (const [name, value] of Object.entries(event.queryStringParameters ?? {}))
    if (value !== undefined && lists[name] === undefined) add(name, value)
  return parts.join('&')
}

/** HTTP APIs put the stage before the path unless it is the default one. */
function without(path: string, { version, requestContext }: LambdaEvent, basePath: string): string {
  const stage = requestContext?.stage
  const staged = version === '2.0' && stage !== undefined && stage !== '$default' ? `/${stage}` : ''
  const bare = staged !== '' && path.startsWith(`${staged}/`) ? path.slice(staged.length) : path
  return basePath !== '' && bare.startsWith(`${basePath}/`) ? bare.slice(basePath.length) : bare
}

function bodyOf({ body, isBase64Encoded }: LambdaEvent): string | Uint8Array<ArrayBuffer> {
  if (body == null) return ''
  return isBase64Encoded === true ? bytesOf(body) : body
}

/** Letter by letter without a call for each, which takes eight times as long. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index)
  return bytes
}
