import { describe, expect, it } from 'vitest'
import { addressGuard } from '../../../../src/middleware/http/address-guard.js'
import { addressSet, parseAddress } from '../../../../src/middleware/http/address-rules.js'
import { httpRequest } from '../../../fixtures/http-request.js'

describe('sets of addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1', '::ffff:192.0.2.1'],
    ['192.0.2.1', '::FFFF:c000:201'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.0/24', '192.0.2.255'],
    ['192.0.2.128/25', '192.0.2.200'],
    ['::ffff:192.0.2.0/120', '192.0.2.7'],
    ['0.0.0.0/0', '203.0.113.9'],
    ['2001:db8::/32', '2001:db8:ffff::1'],
    ['2001:db8::/33', '2001:db8:7fff::1'],
    ['2001:db8::1', '2001:0db8:0000:0000:0000:0000:0000:0001'],
    ['::/0', '2001:db8::1'],
    ['fe80::/10', 'fe80::1%eth0'],
    ['loopback', '127.8.9.10'],
    ['loopback', '::1'],
    ['private', '10.20.30.40'],
    ['private', '172.31.255.255'],
    ['private', 'fd00::1'],
  ])('%s holds %s', (rule, address) => {
    expect(addressSet('rules', [rule])(address)).toBe(true)
  })

  it.each([
    ['192.0.2.1', '192.0.2.2'],
    ['192.0.2.0/24', '192.0.3.0'],
    ['192.0.2.128/25', '192.0.2.127'],
    ['2001:db8::/33', '2001:db8:8000::1'],
    // A rule for all of IPv6 is none for IPv4, however that is written.
    ['::/0', '192.0.2.1'],
    ['::/0', '::ffff:192.0.2.1'],
    ['0.0.0.0/0', '2001:db8::1'],
    // IPv4-compatible addresses are no IPv4 addresses.
    ['192.0.2.1', '::192.0.2.1'],
    ['private', '172.32.0.0'],
    ['private', '11.0.0.1'],
    ['loopback', '128.0.0.1'],
    // Other spellings mean other addresses to other programs.
    ['10.0.0.8', '10.0.0.010'],
    ['127.0.0.1', '127.1'],
    ['127.0.0.1', '2130706433'],
    ['127.0.0.1', '0x7f.0.0.1'],
    ['127.0.0.1', ''],
    ['127.0.0.1', undefined],
  ])('%s does not hold %s', (rule, address) => {
    expect(addressSet('rules', [rule])(address)).toBe(false)
  })

  it.each([
    '',
    'example.com',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '01.2.3.4',
    '192.0.2.0/33',
    '2001:db8::/129',
    '192.0.2.0/',
    '192.0.2.0/-1',
    '192.0.2.0/2 4',
    '192.0.2.1/24',
    '2001:db8::1/32',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    '::g',
    ':::',
    '::1.2.3.4:5',
    '*',
  ])('refuses the rule %j', rule => {
    expect(() => addressSet('allowAddresses', [rule])).toThrow(/^allowAddresses: /)
  })

  it('reads what Node writes', () => {
    expect(parseAddress('::ffff:127.0.0.1')).toEqual(parseAddress('127.0.0.1'))
    expect(parseAddress('::')).toEqual(new Uint8Array(16))
    expect(parseAddress('1:2:3:4:5:6:7::')).toEqual(parseAddress('1:2:3:4:5:6:7:0'))
  })
})

describe('the address guard', () => {
  const from = (address: string | undefined) => ({ ...httpRequest(), address })

  it('lets in those on the list alone', () => {
    const guard = addressGuard({ allowAddresses: ['192.0.2.0/24'] })
    expect(guard(from('192.0.2.7'))).toBeUndefined()
    expect(guard(from('::ffff:192.0.2.7'))).toBeUndefined()
    expect(guard(from('198.51.100.1'))?.status).toBe(403)
    expect(guard(from(undefined))?.status).toBe(403)
  })

  it('keeps out those denied, even where they are allowed', () => {
    const guard = addressGuard({ allowAddresses: ['192.0.2.0/24'], denyAddresses: ['192.0.2.7'] })
    expect(guard(from('192.0.2.8'))).toBeUndefined()
    expect(guard(from('::ffff:192.0.2.7'))?.status).toBe(403)
    const denying = addressGuard({ denyAddresses: ['2001:db8::/32'] })
    expect(denying(from('192.0.2.1'))).toBeUndefined()
    expect(denying(from('2001:db8::1'))?.status).toBe(403)
    expect(denying(from(undefined))?.status).toBe(403)
  })
})
