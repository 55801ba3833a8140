/** Durations and sizes as the command line writes them: always with a unit, so that nobody guesses. */

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
}

/** The longest wait that timers can hold. */
const MAX_MILLISECONDS = 2_147_483_647

/** `500ms`, `2s`, `10m`, `1h`, also `1.5s`, in milliseconds. Throws `TypeError` that shows how to write it. */
export function parseDuration(text: string): number {
  const milliseconds = parseQuantity(
    text,
    MILLISECONDS,
    'duration',
    '500ms, 2s, 10m or 1h',
    number => `${number}s`,
  )
  if (milliseconds > MAX_MILLISECONDS)
    throw new TypeError(`the duration ${JSON.stringify(text)} is longer than 24 days`)
  return milliseconds
}

/** `64KiB`, `4MiB`, `1GiB`, `4MB`, `100B`, in bytes. Throws `TypeError` that shows how to write it. */
export function parseSize(text: string): number {
  return parseQuantity(text, BYTES, 'size', '64KiB, 4MiB, 1GiB or 4MB', number => `${number}MiB`)
}

/** The shortest exact way to write it. */
export function formatDuration(milliseconds: number): string {
  return formatQuantity(milliseconds, MILLISECONDS, ['h', 'm', 's', 'ms'])
}

export function formatSize(bytes: number): string {
  return formatQuantity(bytes, BYTES, ['GiB', 'MiB', 'KiB', 'B'])
}

function parseQuantity(
  text: string,
  units: Readonly<Record<string, number>>,
  what: string,
  examples: string,
  withUnit: (number: string) => string,
): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? []
  if (number === undefined)
    throw new TypeError(`${JSON.stringify(text)} is no ${what}; write for example ${examples}`)
  if (unit === '') {
    if (Number(number) === 0) return 0
    throw new TypeError(
      `the ${what} ${number} has no unit; write for example ${withUnit(number)} (${examples})`,
    )
  }
  const known = Object.keys(units).find(name => name.toLowerCase() === unit?.toLowerCase())
  if (known === undefined) {
    throw new TypeError(`${JSON.stringify(unit)} is no unit of a ${what}; write for example ${examples}`)
  }
  const value = Math.round(Number(number) * (units[known] as number))
  if (!Number.isSafeInteger(value)) throw new TypeError(`the ${what} is larger than can be counted`)
  return value
}

function formatQuantity(
  value: number,
  units: Readonly<Record<string, number>>,
  names: readonly string[],
): string {
  const unit = names.find(name => value !== 0 && value % (units[name] as number) === 0) ?? names.at(-1)
  return `${value / (units[unit as string] as number)}${unit}`
}
