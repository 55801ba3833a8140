// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** From what was seen of a server at an address to what is wrong with it. */

import { TransportError } from '../../exchange/errors.js'
import { printable } from '../../exchange/printable.js'
import { sessionLoss } from '../../transport/streamable-http/session-loss.js'
import { diagnoseAnswers } from './diagnose-answers.js'
import type { Finding } from './finding.js'
import { type RemoteFacts, refusedStatus } from './probe-remote.js'
import { fieldOf, placeOf, type Subject } from './subject.js'

/** The cause first; what follows from it is left out. */
export function diagnoseRemote(facts: RemoteFacts, subject: Subject): readonly Finding[] {
  if (facts.outcome.kind === 'failed') return [failureOf(facts, facts.outcome, subject)]
  return [staleFinding(facts), corsFinding(facts)].filter(finding => finding !== undefined)
}

type Failed = Extract<RemoteFacts['outcome'], { kind: 'failed' }>

function failureOf(facts: RemoteFacts, failed: Failed, subject: Subject): Finding {
  const { error } = failed
  const status = refusedStatus(facts)
  const failure: Failure = { facts, subject, status, message: error instanceof Error ? error.message : '' }
  if (error instanceof TransportError) {
    if (error.code === 'ERR_CONNECT') return unreached(failure, error)
    if (error.code === 'ERR_TIMEOUT' && error.facts.knob === '--connect-timeout') return unreachable(failure)
    if (error.code === 'ERR_SIGN_IN') return signIn(failure)
  }
  const lost = facts.answers.find(isLost)
  if (lost !== undefined) return sessionLost(failure, lost.status)
  if (facts.speaks !== undefined) return wrongTransport(failure, facts.speaks)
  if (facts.elsewhere !== undefined) return wrongPath(failure, facts.elsewhere)
  const refused = status === undefined ? undefined : refusal(failure, status)
  if (refused !== undefined) return refused
  if (error instanceof TypeError)
    return {
      ...common(failure, 'DOCTOR_CONFIG_FIELD'),
      what: error.message,
      why: 'Nothing can be called like that',
      fix: `Mend ${placeOf(subject) === undefined ? 'the command line' : `the entry in ${placeOf(subject)}`}`,
    }
  if (error instanceof TransportError && failed.during === 'open') {
    if (error.code === 'ERR_TIMEOUT') return silent(failure)
    if (error.code === 'ERR_PROTOCOL' || error.code === 'ERR_CLOSED' || isNoMcp(error))
      return {
        ...common(failure, 'DOCTOR_NOT_MCP'),
        what: error.message,
        why: 'Something answers there, and it is no MCP server',
        fix: `Correct ${fieldOf(subject, 'url')}: the path of most servers is /mcp, of older ones /sse`,
      }
  }
  return diagnoseAnswers(failed, facts.address)
}

/** What was answered, without the advice that is for those who have no doctor. */
function answered({ message, status }: Failure): string {
  const [, line] = / answered (\d{3}[A-Za-z -]*)/.exec(message) ?? []
  const [, said] = / It said: (.*)$/s.exec(message) ?? []
  if (line === undefined) return message
  return `It answered ${line || status}${said === undefined ? '' : `, and said: ${said.trim()}`}`
}

/** About whoever was called, rather than with its name. */
function withoutName(message: string): string {
  return message.replace(/^\S.*? did not /, 'It did not ')
}

interface Failure {
  readonly facts: RemoteFacts
  readonly subject: Subject
  readonly status: number | undefined
  readonly message: string
}

function common({ facts, status }: Failure, code: Finding['code']) {
  return {
    code,
    severity: 'error' as const,
    hop: facts.address,
    ...(status === undefined ? {} : { status }),
  }
}

/** The first error of TLS that says so in words of OpenSSL. */
const OF_TLS = /^(?:ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH)|^EPROTO$/

function unreached(failure: Failure, { message, facts }: TransportError): Finding {
  const code = String((facts.cause as { readonly code?: unknown } | undefined)?.code ?? '')
  const { host } = failure.facts
  if (facts.knob === '--proxy')
    return {
      ...common(failure, 'DOCTOR_PROXY'),
      what: message,
      why: 'HTTPS_PROXY, HTTP_PROXY or --proxy leads requests there first',
      fix: `Correct that address, or let this host be called directly: NO_PROXY=${host.replace(/:\d+$/, '')}`,
    }
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT')
    return {
      ...common(failure, 'DOCTOR_TLS_SELF_SIGNED'),
      what: message,
      why: 'Nobody vouches for it, so that anybody could pretend to be this server',
      fix: `If it is yours: openssl s_client -connect ${withPort(host)} </dev/null | openssl x509 > server.pem, then NODE_EXTRA_CA_CERTS=server.pem for clients that run on Node, --ca server.pem for anyport`,
    }
  if (facts.knob === '--ca')
    return {
      ...common(failure, 'DOCTOR_TLS_UNTRUSTED'),
      what: message,
      why: 'This machine does not know the authority that vouches for it; companies have one of their own, and proxies that open TLS',
      fix: "Ask for the certificate of that authority: NODE_EXTRA_CA_CERTS=FILE for clients that run on Node, --ca FILE for anyport. The server's operator may also have forgotten to send the intermediate certificates",
    }
  if (OF_TLS.test(code) || facts.knob === '--cert')
    return {
      ...common(failure, 'DOCTOR_TLS'),
      what: message,
      why: 'Nothing is said before the TLS handshake has succeeded',
      fix:
        facts.knob === '--cert'
          ? 'Give a certificate that it knows, with its key: --cert FILE --key FILE'
          : /not speak TLS/.test(message)
            ? `Write http:// in ${fieldOf(failure.subject, 'url')}, if it is on this machine`
            : 'Its operator has to renew or replace the certificate; check the name in the address and the clock of this machine',
    }
  return unreachable(failure)
}

function unreachable(failure: Failure): Finding {
  const { facts, message, subject } = failure
  const name = facts.host.replace(/:\d+$/, '')
  const isHere = /^(localhost|127\.|\[::1\])/.test(name)
  return {
    ...common(failure, 'DOCTOR_UNREACHABLE'),
    what: message,
    why: isHere
      ? 'The server does not run, or listens at another port; in a container, "localhost" is the container'
      : 'The server is down, its name is wrong, or a firewall or VPN is between',
    fix: isHere
      ? `Start the server, or correct the port in ${fieldOf(subject, 'url')}`
      : `Try: curl -v ${facts.address}; where that fails too, correct ${fieldOf(subject, 'url')} or ask its operator`,
  }
}

function withPort(host: string): string {
  return /:\d+$/.test(host) ? host : `${host}:443`
}

function isLost({ session, asked, status, text }: RemoteFacts['answers'][number]): boolean {
  if (!session || asked === undefined || asked === 'initialize' || status < 400) return false
  const error = errorIn(text)
  return sessionLoss({ session, status, error, named: false, text }) !== 'kept'
}

function errorIn(text: string): { readonly code: number; readonly message: string } | undefined {
  try {
    const { error } = JSON.parse(text) as {
      readonly error?: { readonly code?: unknown; readonly message?: unknown }
    }
    const { code, message } = error ?? {}
    return typeof code === 'number' && typeof message === 'string' ? { code, message } : undefined
  } catch {
    return undefined
  }
}

function sessionLost(failure: Failure, status: number): Finding {
  return {
    ...common({ ...failure, status }, 'DOCTOR_SESSION_LOST'),
    what: `It begins a session, and answers ${status} to the next request of it`,
    why: 'Several processes share the address, and the one that got the request does not know the session that another one began; or sessions are kept nowhere',
    fix: 'Its operator has to send requests of one Mcp-Session-Id to one process, keep sessions where all find them, or do without: anyport serve --sessionless needs none',
  }
}

function wrongTransport(failure: Failure, speaks: 'streamable-http' | 'sse'): Finding {
  const { subject, facts } = failure
  const word = speaks === 'sse' ? 'HTTP+SSE' : 'Streamable HTTP'
  const written = subject.client?.types[speaks]
  const place = placeOf(subject)
  return {
    ...common(failure, 'DOCTOR_WRONG_TRANSPORT'),
    what: `It speaks ${word}, and is configured as ${facts.configured}`,
    why: `A client that is told another transport sends what this server does not take${failure.status === undefined ? '' : ` (it answers ${failure.status})`}`,
    fix:
      place === undefined
        ? `Say --transport ${speaks}, or leave --transport out`
        : written === undefined
          ? `${subject.client?.title ?? 'This client'} cannot speak ${word}: let it start "anyport connect ${facts.address}" instead, in ${place}`
          : `Write "type": "${written === '' ? speaks : written}" in ${place}`,
  }
}

function wrongPath(failure: Failure, elsewhere: string): Finding {
  return {
    ...common(failure, 'DOCTOR_WRONG_PATH'),
    what: `There is no MCP server at this path, and there is one at ${elsewhere}`,
    why: 'The address of a server includes its path',
    fix:
      placeOf(failure.subject) === undefined
        ? `Call ${elsewhere}`
        : `Write ${elsewhere} into ${fieldOf(failure.subject, 'url')}`,
  }
}

/** What a status says; undefined where it says nothing that is not known better. */
function refusal(failure: Failure, status: number): Finding | undefined {
  const { facts, subject } = failure
  const text = facts.answers.findLast(answer => answer.status === status)?.text ?? ''
  switch (status) {
    case 401:
      return signIn(failure)
    case 403:
      return OF_GUARD.test(text) ? hostRefused(failure) : forbidden(failure)
    case 421:
      return hostRefused(failure)
    case 404:
    case 405:
    case 410:
      return {
        ...common(failure, 'DOCTOR_WRONG_PATH'),
        what: answered(failure),
        why: 'Something answers at this host, and no MCP server at this path, nor at /mcp and /sse',
        fix: `Correct the path in ${fieldOf(subject, 'url')}: the documentation of the server has it`,
      }
    case 406:
    case 415:
      return notAcceptable(failure)
    case 407:
      return {
        ...common(failure, 'DOCTOR_PROXY'),
        what: answered(failure),
        why: 'A proxy on the way wants to know who calls',
        fix: 'Write the user name and password into the address of the proxy (HTTPS_PROXY, --proxy)',
      }
    default:
      if (status < 400) return undefined
      return {
        ...common(failure, 'DOCTOR_STATUS'),
        what: answered(failure),
        why:
          status >= 500
            ? 'The server is reached, or what stands before it, and fails'
            : 'The server is reached, and refuses what a client says first',
        fix:
          status === 429
            ? 'Wait, or ask its operator for a higher limit'
            : status >= 500
              ? 'Look into the log of the server, and of the proxy before it; it may only be starting'
              : 'Look into the log of the server: it says there what it does not take',
      }
  }
}

/** What guards against DNS rebinding say. */
const OF_GUARD =
  /(?:invalid|unknown|bad|untrusted|unrecognized|disallowed|forbidden)[^.\n]{0,30}\b(?:host|origin)\b|\b(?:host|origin)\b[^.\n]{0,60}(?:not allowed|invalid|not in|not permitted|denied|refused|is not|forbidden|unknown)|rebinding/i

function hostRefused(failure: Failure): Finding {
  const { host } = failure.facts
  const name = host.replace(/:\d+$/, '')
  return {
    ...common(failure, 'DOCTOR_HOST_REFUSED'),
    what: answered(failure),
    why: `It guards against DNS rebinding, and does not know itself as "${host}": only the names in its list are let in`,
    fix: `Add ${host} to the allowed hosts of the server (anyport serve: --allow-host ${name}; MCP SDKs: allowedHosts, allowed_hosts), or call it by a name that it knows`,
  }
}

function forbidden(failure: Failure): Finding {
  const { facts, subject } = failure
  return {
    ...common(failure, 'DOCTOR_FORBIDDEN'),
    what: answered(failure),
    why:
      facts.signed === undefined
        ? 'It does not say that it wants a sign-in: a rule keeps us out, of the server or of a firewall before it'
        : 'It knows who calls, and that one may not do this',
    fix:
      facts.signed === undefined
        ? `Ask its operator, or give a token in ${fieldOf(subject, 'headers')}`
        : 'Check what the token may do: its scopes, its organisation, its age',
  }
}

function notAcceptable(failure: Failure): Finding {
  const { accepts } = failure.facts
  return {
    ...common(failure, 'DOCTOR_NOT_ACCEPTABLE'),
    what: `${answered(failure)}. It was asked with Accept: application/json, text/event-stream${accepts == null ? '' : `, and answers to Accept: ${accepts}`}`,
    why: 'That is what the protocol demands of clients. The server reads the header in another way, or a proxy changes it',
    fix:
      accepts == null
        ? 'Let proxies on the way pass the header Accept as it is, and update the server'
        : 'Its operator has to accept both media types in any order: update its SDK, or mend the rule of the proxy that compares the header as text',
  }
}

function signIn(failure: Failure): Finding {
  const { facts, subject } = failure
  const { metadata, signed, address } = facts
  const found = { ...failure, status: 401 }
  if (signed === 'header')
    return {
      ...common(found, 'DOCTOR_TOKEN_REFUSED'),
      what: `It refuses the credentials that it is given. ${answered(failure)}`,
      why: 'The token is wrong, has expired, or is meant for another server; a variable may hold less than it should',
      fix: `Put a new token into ${fieldOf(subject, 'headers')}, or the variable that it names`,
    }
  if (metadata?.resource !== undefined)
    return {
      ...common(found, 'DOCTOR_RESOURCE_MISMATCH'),
      what: `It wants a sign-in, and its metadata is about another server: "resource" is ${printable(metadata.resource)}`,
      why: `Clients refuse to fetch a token for another address than the one they call, ${address} (RFC 9728, section 3.3)`,
      fix: `Its operator has to write the public address into "resource" (often the one that a proxy hides); or correct ${fieldOf(subject, 'url')}, where that is the right one`,
    }
  if (metadata !== undefined && !metadata.announced)
    return {
      ...common(found, 'DOCTOR_NO_RESOURCE_METADATA'),
      what: `It wants a sign-in (401), and does not say where: its WWW-Authenticate has no resource_metadata${metadata.found ? '' : ', and there is none at the well-known addresses'}`,
      why: metadata.found
        ? 'Clients that only read the header cannot find out where to sign in; anyport also looks at the well-known address, and has found it there'
        : 'Without it no client can find out where to sign in; it may want a token that you get from its operator',
      fix: metadata.found
        ? `anyport login ${address}; its operator has to add resource_metadata="URL" to WWW-Authenticate for other clients`
        : giveToken(subject),
    }
  if (signed === 'sign-in')
    return {
      ...common(found, 'DOCTOR_TOKEN_REFUSED'),
      what: `It refuses the sign-in that is there. ${answered(failure)}`,
      why: 'The token has expired and cannot be renewed, or was withdrawn',
      fix: `anyport login ${address}`,
    }
  return {
    ...common(found, 'DOCTOR_SIGN_IN'),
    what:
      metadata?.error instanceof Error
        ? `It wants a sign-in: ${metadata.error.message}`
        : 'It wants a sign-in, and there is none',
    why: 'It says where to sign in; a person has to do that once',
    fix: `anyport login ${address}`,
  }
}

function giveToken(subject: Subject): string {
  return placeOf(subject) === undefined
    ? "Give a token: --header 'Authorization: Bearer ${TOKEN}'"
    : `Give a token: "Authorization": "Bearer ${subject.client?.variables.example?.replace('VAR', 'TOKEN') ?? 'TOKEN'}" in ${fieldOf(subject, 'headers')}`
}

function silent(failure: Failure): Finding {
  return {
    ...common(failure, 'DOCTOR_NO_ANSWER'),
    what: withoutName(failure.message),
    why: 'The connection stands, and nothing comes back: the server is stuck, or a proxy holds its answers back',
    fix: 'Call the server without the proxy before it; where that works, switch off buffering there (nginx: proxy_buffering off). A slow one may need --timeout 60s',
  }
}

function isNoMcp({ message, code }: TransportError): boolean {
  return code === 'ERR_HANDSHAKE' && /is not an MCP server|answered with a web page/.test(message)
}

function staleFinding({ stale, address }: RemoteFacts): Finding | undefined {
  if (stale === undefined || stale.status === 404) return undefined
  const isTaken = stale.status < 300
  return {
    code: 'DOCTOR_STALE_SESSION',
    severity: 'warning',
    what: `It answers ${stale.status} to a session that it does not know`,
    why: isTaken
      ? 'Then a client does not hear that its session is gone. Only 404 says so'
      : 'After a restart clients keep to their old session: only 404 tells them to begin a new one',
    fix: 'Its operator has to answer 404 there; until then anyport connect in front begins a new session by itself',
    hop: address,
    status: stale.status,
  }
}

function corsFinding({ cors, address }: RemoteFacts): Finding | undefined {
  if (cors === undefined) return undefined
  const exposed = cors.expose.split(',').map(name => name.trim().toLowerCase())
  if (exposed.includes('mcp-session-id') || exposed.includes('*')) return undefined
  return {
    code: 'DOCTOR_CORS',
    severity: 'warning',
    what: `It lets web pages call (Access-Control-Allow-Origin: ${printable(cors.allowOrigin)}), and does not let them read Mcp-Session-Id`,
    why: 'In a browser the session is lost with its first answer, and each further request is refused; other programs do not notice',
    fix: 'Add to its answers, not only to those to OPTIONS: Access-Control-Expose-Headers: Mcp-Session-Id',
    hop: address,
  }
}
