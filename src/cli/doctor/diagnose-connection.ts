/** What keeps from reaching a server: names, ports, proxies, certificates. */

import type { TransportError } from '../../exchange/errors.js'
import type { Finding } from './finding.js'
import { common, type RemoteFailure } from './remote-failure.js'
import { fieldOf } from './subject.js'

/** `error` is ERR_CONNECT. */
export function unreached(failure: RemoteFailure, { message, facts }: TransportError): Finding {
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

/** What OpenSSL and Node call what goes wrong in a TLS handshake. */
const OF_TLS = /^(?:ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH)|^EPROTO$/

export function unreachable(failure: RemoteFailure): Finding {
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
