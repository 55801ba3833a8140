import { describe, expect, it } from 'vitest'
import { parseRateLimit } from '../../../src/middleware/exchange/rate-limit.js'

describe('--rate-limit', () => {
  it.each([
    ['principal=50/s,200', { per: ['principal'], perSecond: 50, burst: 200 }],
    ['address=600/m', { per: ['address'], perSecond: 10, burst: 10 }],
    ['all=1/h', { per: [], perSecond: 1 / 3_600, burst: 1 }],
    [
      'principal+tool:search_*=5/s',
      { per: ['principal', 'tool'], perSecond: 5, burst: 5, tools: ['search_*'] },
    ],
    ['all:a=b=2.5/s', { per: [], perSecond: 2.5, burst: 3, tools: ['a=b'] }],
  ])('%s', (given, limit) => {
    expect(parseRateLimit(given)).toEqual(limit)
  })

  it.each([
    '',
    'principal',
    'principal=',
    'principal=5',
    'principal=5/d',
    'me=5/s',
    'all=0/s',
    'all=5/s,0',
    'all=-1/s',
  ])('refuses %j', given => {
    expect(() => parseRateLimit(given)).toThrow(TypeError)
  })
})
