/** From what was seen of a server at an address to what is wrong with it. */

import { TransportError } from '../../exchange/errors.js'
import { printable } from '../../exchange/printable.js'
import { sessionLoss } from '../../transport/streamable-http/session-loss.js'
import { diagnoseAnswers } from './diagnose-answers.js'
import { unreachable, unreached } from './diagnose-connection.js'
import { refusal } from './diagnose-refusal.js'
import { signInFinding } from './diagnose-sign-in.js'
import type { Finding } from './finding.js'
import { type RemoteFacts, refusedStatus } from './probe-remote.js'
import { common, type RemoteFailure } from './remote-failure.js'
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
  const failure: RemoteFailure = {
    facts,
    subject,
    status,
    message: error instanceof Error ? error.message : '',
  }
  if (error instanceof TransportError) {
    if (error.code === 'ERR_CONNECT') return unreached(failure, error)
    if (error.code === 'ERR_TIMEOUT' && error.facts.knob === '--connect-timeout') return unreachable(failure)
    if (error.code === 'ERR_SIGN_IN') return signInFinding(failure)
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

/** About whoever was called, rather than with its name. */
function withoutName(message: string): string {
  return message.replace(/^\S.*? did not /, 'It did not ')
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

function sessionLost(failure: RemoteFailure, status: number): Finding {
  return {
    ...common({ ...failure, status }, 'DOCTOR_SESSION_LOST'),
    what: `It begins a session, and answers ${status} to the next request of it`,
    why: 'Several processes share the address, and the one that got the request does not know the session that another one began; or sessions are kept nowhere',
    fix: 'Its operator has to send requests of one Mcp-Session-Id to one process, keep sessions where all find them, or do without: anyport serve --sessionless needs none',
  }
}

function wrongTransport(failure: RemoteFailure, speaks: 'streamable-http' | 'sse'): Finding {
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

function wrongPath(failure: RemoteFailure, elsewhere: string): Finding {
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

function silent(failure: RemoteFailure): Finding {
  const begun = failure.facts.answers.find(({ stream, heard }) => stream && !heard)
  if (begun !== undefined) return buffered(failure, begun)
  return {
    ...common(failure, 'DOCTOR_NO_ANSWER'),
    what: withoutName(failure.message),
    why: 'The connection stands, and nothing comes back: the server is stuck, or a proxy holds its answers back',
    fix: 'Call the server without the proxy before it; where that works, switch off buffering there (nginx: proxy_buffering off). A slow one may need --timeout 60s',
  }
}

function buffered(failure: RemoteFailure, { by }: RemoteFacts['answers'][number]): Finding {
  return {
    ...common(failure, 'DOCTOR_BUFFERED'),
    what: `It begins an event stream, and nothing comes on it: ${withoutName(failure.message)}`,
    why: `What stands between${by === undefined ? '' : ` (${printable(by)})`} keeps the events until the stream ends, which it never does; or the server writes without flushing`,
    fix: 'Switch off buffering and compression of event streams there (nginx: proxy_buffering off), or let the server send X-Accel-Buffering: no; docs/reverse-proxies.md has it all',
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
  if (cors === undefined || (cors.refused.length === 0 && !cors.hidesSession)) return undefined
  const { refused, hidesSession, allowOrigin } = cors
  const lacks = [
    ...(refused.length === 0 ? [] : [`does not let them send ${refused.join(', ')}`]),
    ...(hidesSession ? ['does not let them read Mcp-Session-Id'] : []),
  ]
  const headers = [
    ...(refused.length === 0 ? [] : [`Access-Control-Allow-Headers: ${refused.join(', ')} (to OPTIONS)`]),
    ...(hidesSession
      ? ['Access-Control-Expose-Headers: Mcp-Session-Id (to each answer, not only to OPTIONS)']
      : []),
  ]
  return {
    code: 'DOCTOR_CORS',
    severity: 'warning',
    what: `It lets web pages call (Access-Control-Allow-Origin: ${printable(allowOrigin)}), and ${lacks.join(' and ')}`,
    why: 'Clients in a browser cannot call it, or lose their session with the first answer; other programs do not notice',
    fix: `Add: ${headers.join('; ')}`,
    hop: address,
  }
}
