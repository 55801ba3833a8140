/** Whether a token is for this server, by its claim `aud` (RFC 7519 section 4.1.3, RFC 8707). */
export type AudienceTest = (claim: unknown) => boolean

/** Of the audiences accepted one may end in `/*`, for all that lie below it. Throws `TypeError` where there is none. */
export function audienceTest(option: string, accepted: readonly string[]): AudienceTest {
  if (accepted.length === 0) throw new TypeError(`${option}: audience must name at least one`)
  for (const audience of accepted)
    if (audience === '' || audience === '*' || audience === '/*')
      throw new TypeError(`${option}: ${JSON.stringify(audience)} is no audience`)
  const exact = new Set(accepted)
  const below = accepted.filter(audience => audience.endsWith('/*')).map(audience => audience.slice(0, -1))
  const isOurs = (audience: unknown) =>
    typeof audience === 'string' && (exact.has(audience) || below.some(prefix => isBelow(audience, prefix)))
  return claim => (Array.isArray(claim) ? claim.some(isOurs) : isOurs(claim))
}

/** `..` would lead out of it again. */
function isBelow(audience: string, prefix: string): boolean {
  return (
    audience.startsWith(prefix) && !/(^|\/|%2f)(\.|%2e){1,2}(\/|%2f|$)/i.test(audience.slice(prefix.length))
  )
}
