/** Sets of network addresses: single ones, and CIDR blocks of IPv4 and IPv6 (RFC 4632, RFC 4291). */

/** True for an address in the set. What is no address is in none. */
export type AddressSet = (address: string | undefined) => boolean

/**
 * Compiles rules: `ADDRESS`, `ADDRESS/BITS`, `loopback` or `private`. An IPv4 address and its IPv6 mapped form
 * (`::ffff:192.0.2.1`) are the same, in rules and in addresses. Throws `TypeError` that names `option` for anything else.
 */
export function addressSet(option: string, rules: readonly string[]): AddressSet {
  const blocks = rules.flatMap(rule => (NAMED[rule] ?? [rule]).map(text => blockOf(option, text)))
  // The same few peers come again and again.
  const known = new Map<string, boolean>()
  return address => {
    if (address === undefined) return false
    let found = known.get(address)
    if (found === undefined) {
      const bytes = parseAddress(address)
      found = bytes !== undefined && blocks.some(block => contains(block, bytes))
      if (known.size >= MAX_KNOWN) known.clear()
      known.set(address, found)
    }
    return found
  }
}

/** The 16 bytes of an address, IPv4 in its mapped form; undefined for what is none. A zone (`%eth0`) is left out. */
export function parseAddress(text: string): Uint8Array | undefined {
  const zone = text.indexOf('%')
  const plain = zone < 0 ? text : text.slice(0, zone)
  if (!plain.includes(':')) {
    const four = parseFour(plain)
    return zone >= 0 || four === undefined ? undefined : Uint8Array.of(...MAPPED, ...four)
  }
  return parseSixteen(plain)
}

const MAX_KNOWN = 4_096
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255] as const
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  private: [
    '127.0.0.0/8',
    '::1',
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '169.254.0.0/16',
    'fc00::/7',
    'fe80::/10',
  ],
}

interface Block {
  readonly bytes: Uint8Array
  readonly bits: number
}

function blockOf(option: string, rule: string): Block {
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(rule) ?? []
  const bytes = parseAddress(address)
  const offset = address.includes(':') ? 0 : 96
  const bits = prefix === undefined ? 128 : Number(prefix) + offset
  if (bytes === undefined || bits > 128)
    throw new TypeError(
      `${option}: "${rule}" is no address (expected ADDRESS, ADDRESS/BITS, loopback or private)`,
    )
  const block = { bytes, bits }
  // A rule such as 10.0.0.1/8 says two things, and it is not for us to choose.
  if (!hostBitsAreZero(block))
    throw new TypeError(
      `${option}: "${rule}" has bits set after the first ${prefix}; leave them 0, or write more bits`,
    )
  return block
}

function hostBitsAreZero({ bytes, bits }: Block): boolean {
  return bytes.every((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8))
    return (byte & (0xff >> kept)) === 0
  })
}

function contains({ bytes, bits }: Block, address: Uint8Array): boolean {
  // A block of IPv6 that is so wide that it covers the mapped addresses means IPv6 all the same.
  if (bits < 96 && isMapped(address)) return false
  const whole = bits >> 3
  for (let index = 0; index < whole; index++) if (bytes[index] !== address[index]) return false
  const rest = bits & 7
  return rest === 0 || ((bytes[whole] as number) ^ (address[whole] as number)) >> (8 - rest) === 0
}

function isMapped(address: Uint8Array): boolean {
  return MAPPED.every((byte, index) => address[index] === byte)
}

/** Four decimal numbers without leading zeros: other spellings mean different addresses to different programs. */
function parseFour(text: string): readonly number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part))) return undefined
  const numbers = parts.map(Number)
  return numbers.every(number => number < 256) ? numbers : undefined
}

function parseSixteen(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half, index) => groupsOf(half, index === halves.length - 1))
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  const rest = tail ?? []
  const missing = 16 - head.length - rest.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return Uint8Array.of(...head, ...new Array<number>(missing).fill(0), ...rest)
}

/** Two bytes for each group; the last may be an IPv4 address. */
function groupsOf(half: string, isLast: boolean): readonly number[] | undefined {
  if (half === '') return []
  const groups = half.split(':')
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    const four = isLast && index === groups.length - 1 && group.includes('.') ? parseFour(group) : undefined
    if (four !== undefined) bytes.push(...four)
    else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 0xff)
    } else return undefined
  }
  return bytes
}
