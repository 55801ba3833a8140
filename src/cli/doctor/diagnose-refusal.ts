/** What the status of a refusal means. */

import { signInFinding } from './diagnose-sign-in.js'
import type { Finding } from './finding.js'
import { answered, common, type RemoteFailure } from './remote-failure.js'
import { fieldOf } from './subject.js'

/** What a status says; undefined where it says nothing that is not known better. */
export function refusal(failure: RemoteFailure, status: number): Finding | undefined {
  const { facts, subject } = failure
  const text = facts.answers.findLast(answer => answer.status === status)?.text ?? ''
  switch (status) {
    case 401:
      return signInFinding(failure)
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
      if (status < 300) return undefined
      if (status < 400) return redirected(failure)
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

function redirected(failure: RemoteFailure): Finding {
  const [, there] = / to (\S+?)[,;]? (?:which|in a way)/.exec(failure.message) ?? []
  return {
    ...common(failure, 'DOCTOR_WRONG_PATH'),
    what: failure.message,
    why: 'What is sent to a server, and tokens above all, does not follow it anywhere: clients stop there',
    fix: `Write ${there ?? 'the address that it leads to'} into ${fieldOf(failure.subject, 'url')}, if that is the server that you mean`,
  }
}

/** What guards against DNS rebinding say. */
const OF_GUARD =
  /(?:invalid|unknown|bad|untrusted|unrecognized|disallowed|forbidden)[^\n]{0,30}\b(?:host|origin)\b|\b(?:host|origin)\b[^\n]{0,80}(?:not allowed|invalid|not in|not permitted|denied|refused|is not|forbidden|unknown)|rebinding/i

function hostRefused(failure: RemoteFailure): Finding {
  const { host } = failure.facts
  const name = host.replace(/:\d+$/, '')
  return {
    ...common(failure, 'DOCTOR_HOST_REFUSED'),
    what: answered(failure),
    why: `It guards against DNS rebinding, and does not know itself as "${host}": only the names in its list are let in`,
    fix: `Add ${host} to the allowed hosts of the server (anyport serve: --allow-host ${name}; MCP SDKs: allowedHosts, allowed_hosts), or call it by a name that it knows`,
  }
}

function forbidden(failure: RemoteFailure): Finding {
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

function notAcceptable(failure: RemoteFailure): Finding {
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
