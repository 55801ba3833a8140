import type { HttpReply } from '../../exchange/http.js'
import { methodNotAllowed } from '../../exchange/http-reply.js'
import { HTML } from './html.js'
import { ICON } from './icon.js'
import { script } from './script.js'
import { STYLE } from './style.js'

/** Nothing but our own files, and pictures that tools give, which are in the page already. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
}

const FILES: ReadonlyMap<string, readonly [type: string, body: () => string]> = new Map([
  ['', ['text/html', () => HTML]],
  ['/app.js', ['text/javascript', script]],
  ['/app.css', ['text/css', () => STYLE]],
  ['/icon.svg', ['image/svg+xml', () => ICON]],
])

/** A file of the page, by what follows `/dashboard` in its path. */
export function pageAt(method: string, path: string): HttpReply {
  if (method !== 'GET') return methodNotAllowed('GET')
  // What the page asks for is relative to where it is.
  if (path === '/') return { status: 308, headers: { ...HEADERS, location: '../dashboard' } }
  const file = FILES.get(path)
  if (file === undefined)
    return { status: 404, headers: { ...HEADERS, 'content-type': 'text/plain' }, body: 'Not found\n' }
  const [type, body] = file
  return { status: 200, headers: { ...HEADERS, 'content-type': `${type}; charset=utf-8` }, body: body() }
}
