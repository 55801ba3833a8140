import { describe, expect, it } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../src/config/units.js'

describe('units', () => {
  it.each([
    ['500ms', 500],
    ['2s', 2_000],
    ['1.5s', 1_500],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['0', 0],
  ])('the duration %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
    expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds)
  })

  it.each([
    ['64KiB', 65_536],
    ['4MiB', 4_194_304],
    ['1GiB', 1_073_741_824],
    ['4MB', 4_000_000],
    ['4mib', 4_194_304],
    ['100B', 100],
  ])('the size %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
    expect(parseSize(formatSize(bytes))).toBe(bytes)
  })

  it.each([
    [() => parseDuration('5'), 'the duration 5 has no unit; write for example 5s (500ms, 2s, 10m or 1h)'],
    [() => parseDuration('soon'), '"soon" is no duration; write for example 500ms, 2s, 10m or 1h'],
    [() => parseDuration('-1s'), '"-1s" is no duration'],
    [() => parseDuration('5MiB'), '"MiB" is no unit of a duration'],
    [() => parseDuration('1000h'), 'longer than 24 days'],
    [() => parseSize('4'), 'the size 4 has no unit; write for example 4MiB'],
    [() => parseSize(`${'9'.repeat(400)}MB`), 'the size is larger than can be counted'],
    [() => parseSize('99999999GiB'), 'the size is larger than can be counted'],
    [() => parseSize('4s'), '"s" is no unit of a size'],
  ])('refuse what they do not understand, with an example: %#', (parse, message) => {
    expect(parse).toThrow(TypeError)
    expect(parse).toThrow(message)
  })
})
