/** What went wrong on the way to a remote server and back, in words that name the hop and the option that helps. */

import { TransportError, type TransportFacts } from '../../exchange/errors.js'
import { printable } from '../../exchange/printable.js'

/** How far a connection had come. */
export type DialPhase = 'connect' | 'proxy' | 'proxy-tls' | 'proxy-answer' | 'tls'

export interface Dialled {
  /** The server, as a person names it. */
  readonly hop: string
  /** `host:port`, or the path of a socket. */
  readonly place: string
  readonly host: string
  /** The proxy's name, where one is on the way. */
  readonly proxy: string | undefined
}

/** Of the server's certificate, as OpenSSL writes dates. */
export interface Validity {
  readonly valid_from: string
  readonly valid_to: string
}

/** Nothing was sent yet: the same request may be tried again. */
export function dialFailure(
  cause: unknown,
  phase: DialPhase,
  to: Dialled,
  validity?: Validity,
): TransportError {
  const { reason, knob } = reasonOf(cause, phase, to, validity)
  return unreached('ERR_CONNECT', reason, knob, to, cause)
}

export function dialTimeout(milliseconds: number, phase: DialPhase, to: Dialled): TransportError {
  const within = `within ${seconds(milliseconds)} (--connect-timeout)`
  const reasons: Readonly<Record<DialPhase, string>> = {
    connect: `${to.place} did not accept a connection ${within}`,
    tls: `${to.place} accepted the connection, but did not finish the TLS handshake ${within}`,
    proxy: `the proxy ${to.proxy} did not accept a connection ${within}`,
    'proxy-tls': `the proxy ${to.proxy} did not finish the TLS handshake ${within}`,
    'proxy-answer': `the proxy ${to.proxy} did not open a way to ${to.place} ${within}`,
  }
  return unreached('ERR_TIMEOUT', reasons[phase], '--connect-timeout', to)
}

export function proxyRefusal(status: number, hasPassword: boolean, to: Dialled): TransportError {
  const why = (() => {
    switch (status) {
      case 407:
        return hasPassword
          ? 'does not accept the user name and password in its address'
          : 'wants a user name and password; write them into its address: http://NAME:PASSWORD@HOST:PORT'
      case 403:
      case 405:
        return `does not allow connections to ${to.place} (${status})`
      case 502:
      case 503:
      case 504:
      case 590:
      case 593:
        return `cannot reach ${to.place} (${status})`
      default:
        return `answered ${status} when asked for ${to.place}; is it an HTTP proxy?`
    }
  })()
  return unreached('ERR_CONNECT', `the proxy ${to.proxy} ${why}`, '--proxy', to)
}

export interface AnswerPhase {
  /** Nothing of the request was written; something was; the answer's head has come. */
  readonly phase: 'unsent' | 'head' | 'body'
  /** The limit of this phase, in milliseconds. */
  readonly timeout: number
}

/** Where some of the request was written, the server may have got it all. */
export function answerFailure(cause: unknown, hop: string, { phase, timeout }: AnswerPhase): TransportError {
  if (cause instanceof TransportError) return cause
  const facts = { hop, cause, retryable: phase === 'unsent' }
  const code = codeOf(cause)
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
      return new TransportError(
        'ERR_TIMEOUT',
        `${hop} did not begin to answer within ${seconds(timeout)} (--response-timeout)`,
        { ...facts, knob: '--response-timeout' },
      )
    case 'UND_ERR_BODY_TIMEOUT':
      return new TransportError(
        'ERR_TIMEOUT',
        `${hop} fell silent for ${seconds(timeout)} in the middle of its answer (--read-timeout)`,
        { ...facts, knob: '--read-timeout' },
      )
    case 'UND_ERR_HEADERS_OVERFLOW':
      return new TransportError('ERR_TOO_LARGE', `${hop} answered with headers larger than 16 KiB`, facts)
  }
  // Alerts of TLS 1.3 about our certificate come when the handshake is over for us. The server has read nothing.
  const tls = tlsReason(cause, code, undefined)
  if (tls !== undefined)
    return new TransportError('ERR_CONNECT', `Cannot reach ${hop}: ${tls.reason}`, {
      ...facts,
      ...(tls.knob === undefined ? {} : { knob: tls.knob }),
      retryable: true,
    })
  if ((cause as Error | undefined)?.name === 'HTTPParserError' && phase !== 'body') {
    const { data } = cause as { data?: unknown }
    // The first byte of a TLS record that holds an alert.
    const isTls = typeof data === 'string' && data.charCodeAt(0) === 0x15 && data.charCodeAt(1) === 3
    return new TransportError(
      'ERR_PROTOCOL',
      isTls ? `${hop} speaks TLS; write https:// in its address` : `${hop} does not answer in HTTP`,
      facts,
    )
  }
  return new TransportError(
    'ERR_CLOSED',
    phase === 'body'
      ? `${hop} broke off the connection in the middle of its answer`
      : `${hop} closed the connection without an answer`,
    facts,
  )
}

interface Reason {
  readonly reason: string
  readonly knob?: string
}

function reasonOf(cause: unknown, phase: DialPhase, to: Dialled, validity: Validity | undefined): Reason {
  const code = codeOf(cause)
  if (phase === 'tls' || phase === 'proxy-tls') {
    const known = tlsReason(cause, code, validity)
    if (known !== undefined && phase === 'tls') return known
    if (known !== undefined) return { ...known, reason: `the proxy ${to.proxy}: ${known.reason}` }
  }
  const proxied = phase.startsWith('proxy')
  const place = proxied ? `the proxy ${to.proxy}` : to.place
  const knob = proxied ? { knob: '--proxy' } : {}
  switch (code) {
    case 'ENOTFOUND':
      return {
        reason: `there is no host named ${hostIn(cause, to)}${proxied ? `, the proxy ${to.proxy}` : ''}`,
        ...knob,
      }
    case 'EAI_AGAIN':
      return { reason: `the name ${hostIn(cause, to)} cannot be resolved: no name server answers`, ...knob }
    case 'ECONNREFUSED':
      return { reason: `nothing listens at ${place}`, ...knob }
    case 'ENOENT':
      return { reason: `there is no socket ${place}` }
    case 'EACCES':
    case 'EPERM':
      return { reason: `no permission to connect to ${place}`, ...knob }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return { reason: `there is no way to ${place} from here (${code})`, ...knob }
    case 'ETIMEDOUT':
      return { reason: `${place} does not answer`, ...knob }
    case 'EMFILE':
    case 'ENFILE':
      return { reason: 'the system has no room for another connection; raise the limit of open files' }
    case 'ECONNRESET':
    case 'EPIPE':
      return phase === 'tls'
        ? { reason: `${to.place} closed the connection during the TLS handshake; does it speak TLS?` }
        : { reason: `${place} closed the connection before it was set up`, ...knob }
  }
  const text = cause instanceof Error ? cause.message : String(cause)
  return { reason: `${place}: ${printable(text).slice(0, 200)}`, ...knob }
}

function tlsReason(cause: unknown, code: string, validity: Validity | undefined): Reason | undefined {
  const knob = '--ca'
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return { reason: 'its certificate is self-signed; if you trust it, give it with --ca FILE', knob }
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return {
        reason:
          'its certificate comes from an authority that is not known here; if you trust that one (a company proxy, perhaps), give its certificate with --ca FILE',
        knob,
      }
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return {
        reason:
          'its certificate cannot be verified: the authority is not known here, or the server does not send the certificates in between; give them with --ca FILE',
        knob,
      }
    case 'CERT_HAS_EXPIRED':
      return { reason: `its certificate has expired${dateOf(validity?.valid_to)}` }
    case 'CERT_NOT_YET_VALID':
      return {
        reason: `its certificate is not valid yet${dateOf(validity?.valid_from)}; check the clock of this machine`,
      }
    case 'CERT_REVOKED':
      return { reason: 'its certificate was revoked' }
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const { cert, host } = cause as { cert?: { subjectaltname?: string }; host?: string }
      const names = printable((cert?.subjectaltname ?? '').replace(/\b(?:DNS|IP Address):/g, '')).slice(
        0,
        200,
      )
      return {
        reason: `its certificate is ${names === '' ? 'for other names' : `for ${names}`}, not for ${host ?? 'this name'}`,
      }
    }
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_HTTP_REQUEST':
    case 'ERR_SSL_UNEXPECTED_MESSAGE':
    case 'ERR_SSL_RECORD_LAYER_FAILURE':
      return { reason: 'it does not speak TLS at this port; write http:// in its address, if that is safe' }
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA':
    case 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE':
    case 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN':
    case 'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE':
      return {
        reason: 'it wants a client certificate that it knows; give one with --cert FILE and --key FILE',
        knob: '--cert',
      }
    case 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION':
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_NO_PROTOCOLS_AVAILABLE':
      return { reason: 'it speaks only versions of TLS that are not safe any more' }
    case 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME':
      return { reason: 'it does not know itself under this name' }
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))
    return { reason: `the TLS handshake failed (${code})` }
  return undefined
}

function unreached(
  code: 'ERR_CONNECT' | 'ERR_TIMEOUT',
  reason: string,
  knob: string | undefined,
  { hop }: Dialled,
  cause?: unknown,
): TransportError {
  const facts: TransportFacts = { hop, retryable: true, ...(knob === undefined ? {} : { knob }), cause }
  return new TransportError(code, `Cannot reach ${hop}: ${reason}`, facts)
}

function codeOf(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

function hostIn(cause: unknown, { host }: Dialled): string {
  const { hostname } = cause as { hostname?: unknown }
  return printable(typeof hostname === 'string' ? hostname : host)
}

function dateOf(date: string | undefined): string {
  return date === undefined ? '' : ` (${printable(date)})`
}

function seconds(milliseconds: number): string {
  return milliseconds >= 1_000 && milliseconds % 1_000 === 0
    ? `${milliseconds / 1_000} s`
    : `${milliseconds} ms`
}
