import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Of connections, since every request of one asks. */
const subjects = new WeakMap<Socket, string>()

/** The subject of the client certificate that was verified: `CN=NAME,O=COMPANY`, in the order of the certificate. */
export function certificateSubject(socket: Socket): string | undefined {
  if ((socket as Partial<TLSSocket>).authorized !== true) return undefined
  let subject = subjects.get(socket)
  if (subject === undefined) {
    // One attribute per line; commas and line ends within are escaped.
    subject = (socket as TLSSocket).getPeerX509Certificate()?.subject?.split('\n').join(',')
    if (subject === undefined || subject === '') return undefined
    subjects.set(socket, subject)
  }
  return subject
}
