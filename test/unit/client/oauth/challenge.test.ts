import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBearerChallenge } from '../../../../src/client/oauth/challenge.js'

describe('a Bearer challenge', () => {
  const metadata = 'https://x.example/.well-known/oauth-protected-resource'
  const cases: readonly (readonly [string, object | undefined])[] = [
    ['Bearer', {}],
    ['bearer realm="x"', {}],
    [
      `Bearer resource_metadata="${metadata}", scope="a b  a"`,
      { resourceMetadata: metadata, scopes: ['a', 'b'] },
    ],
    [`Bearer resource_metadata=${metadata}`, { resourceMetadata: metadata }],
    [
      'Bearer error="insufficient_scope",scope="a",error_description="say \\"please\\", then wait"',
      {
        error: 'insufficient_scope',
        scopes: ['a'],
        description: 'say "please", then wait',
      },
    ],
    ['Bearer\terror = invalid_token ,  scope=""', { error: 'invalid_token' }],
    ['Basic realm="Bearer error=no", Bearer error="yes", Digest error="other"', { error: 'yes' }],
    ['Negotiate abc==, Bearer error="yes"', { error: 'yes' }],
    ['Bearer error="first", error="second"', { error: 'first' }],
    ['Basic realm="x"', undefined],
    ['', undefined],
  ]
  it.each(cases)('%s', (header, expected) => {
    expect(parseBearerChallenge(header)).toEqual(expected)
  })

  it('of a header that says anything takes no time and does not throw', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (before, after) => {
        parseBearerChallenge(`${before}Bearer ${after}`)
      }),
    )
    const started = performance.now()
    for (const piece of ['"', '\\', 'a=', 'a="', ' ', '=,', 'Bearer '])
      parseBearerChallenge(piece.repeat(100_000))
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})
