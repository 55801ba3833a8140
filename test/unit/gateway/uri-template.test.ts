import { describe, expect, it } from 'vitest'
import { uriPattern } from '../../../src/gateway/uri-template.js'

const matches = (template: string, uri: string, strict: boolean) => uriPattern(template)?.matches(uri, strict)

describe('templates', () => {
  it.each([
    ['file:///{+path}', 'file:///a/b', true],
    ['file:///{path}', 'file:///a', true],
    ['file:///{path}', 'file:///a/b', false],
    ['db://{table}/{row}', 'db://users/7', true],
    ['db://{table}/{row}', 'db://users', undefined],
    ['db://{table}/rows', 'db://users/rows', true],
    ['db://{table}/rows', 'db://users/row', undefined],
    ['s://x{/path*}{?q,r}', 's://x/a/b?q=1&r=2', true],
    ['s://x{/path*}{?q,r}', 's://x/a/b', true],
    ['s://x{/path*}{?q,r}', 's://x?q=1', true],
    ['s://x{.type}{#part}', 's://x.json#a', true],
    ['s://{a}{#part}/x/{b}', 's://1/x/2', true],
    ['s://{a}{?q}/x/{b}', 's://1?q=1/x/2', true],
    ['s://{a}{?q}/x/{b}', 's://1?q=1/y/2', undefined],
    ['s://x', 's://x', true],
    ['s://x', 's://y', undefined],
    ['s://{a}s', 's://s', true],
    ['demo://resource/dynamic/text/{resourceId}', 'demo://resource/dynamic/text/1', true],
  ])('%s can have made %s: %s', (template, uri, expected) => {
    expect(matches(template, uri, true)).toBe(expected === true)
    expect(matches(template, uri, false)).toBe(expected !== undefined)
  })

  it.each(['s://{', 's://}', 's://{a{b}}'])('%s is none', template => {
    expect(uriPattern(template)).toBeUndefined()
  })

  it('cost no more than a look at the URI, whatever the server writes', () => {
    const template = `s://${'{+a}x'.repeat(200)}y`
    const started = performance.now()
    expect(matches(template, `s://${'x'.repeat(200_000)}`, true)).toBe(false)
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})
