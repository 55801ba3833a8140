/** Wall clocks and instants, by what every JavaScript runtime knows of time zones (`Intl`). */

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** Whether it is a name of the time zone database, such as `Europe/Berlin`, or `UTC`. */
export function isZone(name) {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** What a clock on the wall shows there: `{ zone, time, weekday, offset }`. */
export function wallClock(instant, zone) {
  const { weekday } = partsIn(instant, zone)
  const local = localMillis(instant, zone)
  const minutes = Math.round((local - Math.floor(instant / 1000) * 1000) / MINUTE)
  return { zone, time: new Date(local).toISOString().slice(0, 16), weekday, offset: offsetText(minutes) }
}

/**
 * The instants at which the clock of that zone shows `time` (`2026-10-25T02:30`): one, or none in the hour that is skipped in
 * spring, or two in the hour that comes twice in autumn, the first of them first.
 */
export function instantsAt(time, zone) {
  const shown = Date.parse(`${time}Z`)
  const offsets = [shown - DAY, shown + DAY].map(near => localMillis(near, zone) - near)
  const candidates = [...new Set(offsets)].map(offset => shown - offset)
  return candidates.filter(instant => localMillis(instant, zone) === shown).sort((one, other) => one - other)
}

/** Where everybody is at work: spans `{ from, to }` of instants within the day `date` of the first zone, whole quarters of an hour. */
export function commonHours({ date, zones, begin, end, minutes }) {
  const quarter = 15 * MINUTE
  const [midnight = Date.parse(`${date}T00:00Z`)] = instantsAt(`${date}T00:00`, zones[0])
  const isAtWork = instant =>
    zones.every(zone => {
      const { time, weekday } = wallClock(instant, zone)
      const clock = time.slice(11)
      return weekday !== 'Saturday' && weekday !== 'Sunday' && clock >= begin && clock < end
    })
  const spans = []
  for (let instant = midnight; instant < midnight + DAY; instant += quarter) {
    if (!isAtWork(instant)) continue
    const last = spans.at(-1)
    if (last?.to === instant) last.to += quarter
    else spans.push({ from: instant, to: instant + quarter })
  }
  return spans.filter(({ from, to }) => to - from >= minutes * MINUTE)
}

const formats = new Map()

function partsIn(instant, zone) {
  let format = formats.get(zone)
  if (format === undefined) {
    const digits = {
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    }
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      weekday: 'long',
      ...digits,
    })
    formats.set(zone, format)
  }
  return Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]))
}

/** What its clock shows, as if that were UTC. */
function localMillis(instant, zone) {
  const { year, month, day, hour, minute, second } = partsIn(instant, zone)
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
}

function offsetText(minutes) {
  const two = number => String(number).padStart(2, '0')
  const sign = minutes < 0 ? '-' : '+'
  return `UTC${sign}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
}
