/** Which addresses a server may send us to. */

/**
 * True where what `server` told us may be fetched or opened: https, or plain http on this machine where the server itself is
 * on this machine (basic/authorization/security-considerations, Communication Security). A server elsewhere must not make us
 * call services of this machine or of its local network by their numbers.
 */
export function mayVisit(address: URL, server: URL): boolean {
  if (address.username !== '' || address.password !== '') return false
  const inside = isLoopback(address.hostname)
  if (address.protocol === 'http:') return inside && isLoopback(server.hostname)
  if (address.protocol !== 'https:') return false
  if (inside) return isLoopback(server.hostname)
  return !isLocalNumber(address.hostname) || isLocalNumber(server.hostname) || isLoopback(server.hostname)
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}

/** Private, link-local and unspecified addresses written as numbers; `URL` has normalized every way to write them. */
function isLocalNumber(hostname: string): boolean {
  if (/^(0|10|169\.254|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(hostname) && /^[\d.]+$/.test(hostname))
    return true
  // Unique local, link-local, unspecified, and IPv4 addresses inside IPv6.
  return /^\[(f[cd]|fe[89ab]|::\]|::ffff:)/i.test(hostname)
}
