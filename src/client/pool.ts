import type { Context } from '../exchange/context.js'
import { orCancelled, within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { LegacyConnection } from '../legacy/connection.js'
import type { ConnectionSource, Lease } from '../legacy/connection-source.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import { METHOD_LISTEN } from '../protocol/methods.js'
import type { CallerSignature } from './caller-credentials.js'
import type { StopReason } from './events.js'
import type { Link } from './link.js'

export interface PoolOptions {
  readonly name: string
  /** Which group of connections serves a request: nobody else's are ever used for it. */
  readonly keyOf: (request: JSONRPCRequest, context: Context) => string
  readonly open: (
    request: JSONRPCRequest,
    key: string,
    signature: CallerSignature | undefined,
  ) => Promise<PooledConnection>
  /** What the connections of a caller carry, where that differs. */
  readonly signatureOf: (context: Context) => CallerSignature | undefined
  /** A connection joins its group. */
  readonly opened: (key: string) => void
  /** A connection is about to be closed; somebody may listen on it. */
  readonly stopping: (key: string, link: Link, reason: StopReason, listened: boolean) => void
  /** How many connections one group may have for calls that may ask, without those whose call is suspended. */
  readonly maxPerGroup: number
  /** How many more it may have while calls are suspended, which can be for as long as a person thinks. */
  readonly maxSuspendedPerGroup: number
  /**
   * How long a call waits for its group's busy connections before another one is opened, or one is taken from a call that has
   * been suspended for `reclaimAfter`, in milliseconds.
   */
  readonly spillAfter: number
  /** How long a suspended call keeps a connection that others wait for, in milliseconds. */
  readonly reclaimAfter: number
  /** How long a call waits for a connection at all, in milliseconds. */
  readonly queueTimeout: number
  /** When an idle connection is closed, in milliseconds: a group's first one, and the others. */
  readonly idleTimeout: number
  readonly spareIdleTimeout: number
}

export interface PooledConnection {
  readonly connection: LegacyConnection
  readonly link: Link
}

interface Member extends PooledConnection {
  /** Calls on it. Subscriptions count for themselves: they last, and keep nothing busy. */
  uses: number
  listens: number
  /** Calls on it that may ask. One at a time, unless questions say which call they belong to. */
  asking: number
  idleSince: number
  /** Set while the call on it waits for its caller: since when, and how to end it. */
  suspended: { readonly since: number; readonly reclaim: () => void } | undefined
}

interface Group {
  readonly key: string
  signature: CallerSignature | undefined
  /** Its session has ended. */
  ended: boolean
  readonly members: Member[]
  /** Opens in progress, so that calls that come together share one. */
  opening: number
  first: Promise<Member> | undefined
  readonly waiting: Waiting[]
}

interface Waiting {
  readonly request: JSONRPCRequest
  readonly serve: (member: Member) => void
  readonly fail: (error: unknown) => void
}

const MAX_WAITING = 1000

/**
 * Connections to one legacy server: shared by calls that cannot be asked, and by those that can where questions name their call;
 * else one call each for them.
 */
export class Pool implements ConnectionSource {
  #options: PoolOptions
  #groups = new Map<string, Group>()
  #size = 0
  /** Connections that are on their way out: a program takes its time to end. */
  readonly #closing = new Set<Promise<void>>()
  #sweep: ReturnType<typeof setInterval> | undefined
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** The connections that are open. */
  get size(): number {
    return this.#size
  }

  /** The calls that are open on them. */
  get calls(): number {
    let calls = 0
    for (const group of this.#groups.values()) for (const member of group.members) calls += member.link.size
    return calls
  }

  links(): readonly Link[] {
    return [...this.#groups.values()].flatMap(group => group.members.map(({ link }) => link))
  }

  /** A connection of the group stands. */
  has(key: string): boolean {
    const group = this.#groups.get(key)
    return group !== undefined && living(group).length > 0
  }

  /** Takes in a connection that was opened to find out the server's era. */
  adopt(key: string, opened: PooledConnection): void {
    const member = this.#join(this.#group(key), opened)
    member.idleSince = performance.now()
  }

  acquire(request: JSONRPCRequest, context: Context, exclusive: boolean): Lease | Promise<Lease> {
    const group = this.#group(this.#options.keyOf(request, context))
    group.signature ??= this.#options.signatureOf(context)
    if (!exclusive) {
      const member = living(group)[0]
      return member === undefined
        ? this.#acquireFirst(group, request, context)
        : lease(this, group, member, false, request.method === METHOD_LISTEN)
    }
    return this.#acquireExclusive(group, request, context)
  }

  /** Gives out no connection any more; those given out stay. */
  stop(): void {
    this.#closed = true
    for (const group of this.#groups.values()) failAll(group, this.#draining())
  }

  /** Closes the groups whose keys begin so: whoever they served has left. */
  end(prefix: string): void {
    for (const [key, group] of this.#groups) {
      if (!key.startsWith(prefix)) continue
      group.ended = true
      this.#groups.delete(key)
      failAll(group, this.#draining())
      for (const member of [...group.members]) this.#leave(group, member, 'session')
    }
  }

  async close(): Promise<void> {
    this.stop()
    clearInterval(this.#sweep)
    const members = [...this.#groups.values()].flatMap(group => group.members.splice(0))
    this.#groups.clear()
    this.#size -= members.length
    await Promise.allSettled([...this.#closing, ...members.map(member => member.connection.close())])
  }

  /** Gives a member back after a call, to the next one that waits for it. */
  giveBack(group: Group, member: Member, exclusive: boolean, listens: boolean): void {
    if (listens) {
      member.listens -= 1
      return
    }
    member.uses -= 1
    member.idleSince = performance.now()
    if (exclusive) this.#release(group, member)
  }

  #release(group: Group, member: Member): void {
    member.asking -= 1
    if (!member.link.closed) {
      this.#serveNext(group, member)
      return
    }
    // Who waits for a connection that is gone needs another one, and need not be patient for it.
    this.#leave(group, member, 'idle')
    const next = group.waiting[0]
    if (next !== undefined) this.#spill(group, next.request)
  }

  async #acquireFirst(group: Group, request: JSONRPCRequest, context: Context): Promise<Lease> {
    const member = await orCancelled(this.#first(group, request), context)
    return lease(this, group, member, false, request.method === METHOD_LISTEN)
  }

  async #acquireExclusive(group: Group, request: JSONRPCRequest, context: Context): Promise<Lease> {
    const free = living(group).find(isFree)
    if (free !== undefined) {
      free.asking += 1
      return lease(this, group, free, true)
    }
    const turn = this.#wait(group, request, context)
    // Whoever waits hears how it ended.
    if (living(group).length === 0) this.#first(group, request).catch(() => {})
    return turn
  }

  async #wait(group: Group, request: JSONRPCRequest, context: Context): Promise<Lease> {
    if (group.waiting.length >= MAX_WAITING) throw this.#busy('too many calls wait for it')
    let waiting: Waiting | undefined
    const turn = new Promise<Member>((serve, fail) => {
      waiting = { request, serve, fail }
      group.waiting.push(waiting)
    })
    const spill = setInterval(() => this.#spill(group, request), this.#options.spillAfter)
    try {
      const member = await within(orCancelled(turn, context), this.#options.queueTimeout, () =>
        this.#busy('its connections stayed busy'),
      )
      return lease(this, group, member, true)
    } catch (error) {
      const index = group.waiting.indexOf(waiting as Waiting)
      if (index >= 0) group.waiting.splice(index, 1)
      // Served in the same turn as cancelled: pass the member on.
      else
        turn.then(
          member => this.#release(group, member),
          () => {},
        )
      throw error
    } finally {
      clearInterval(spill)
    }
  }

  /**
   * A call has waited long enough: its group gets another connection, where the limits allow; else the call that has waited
   * longest for its caller loses its own.
   */
  #spill(group: Group, request: JSONRPCRequest): void {
    if (group.waiting.length === 0) return
    const members = living(group)
    const { maxPerGroup, maxSuspendedPerGroup } = this.#options
    const suspended = members.filter(member => member.suspended !== undefined).length
    const limit = maxPerGroup + Math.min(suspended, maxSuspendedPerGroup)
    if (members.length + group.opening >= limit) {
      this.#reclaim(members)
      return
    }
    // One that is being opened for another call serves as well; a server that is slow to start is started once.
    if (group.opening >= (members.length === 0 ? 1 : group.waiting.length)) return
    this.#open(group, request).then(
      member => this.#serveNext(group, member),
      error => {
        // Nobody is left who could give a connection back: who waits hears why, as a new call would.
        if (living(group).length + group.opening === 0) failAll(group, error)
      },
    )
  }

  /** Ends the call that has been suspended for longest, if for long enough. Its member is given back by this. */
  #reclaim(members: readonly Member[]): boolean {
    const longest = earliest(members, member => member.suspended?.since)
    const suspended = longest?.suspended
    if (suspended === undefined || performance.now() - suspended.since < this.#options.reclaimAfter)
      return false
    suspended.reclaim()
    return true
  }

  #serveNext(group: Group, member: Member): void {
    while (isFree(member)) {
      const next = group.waiting.shift()
      if (next === undefined) return
      member.asking += 1
      next.serve(member)
    }
  }

  #first(group: Group, request: JSONRPCRequest): Promise<Member> {
    group.first ??= this.#open(group, request)
      .then(
        member => {
          this.#serveNext(group, member)
          return member
        },
        error => {
          if (living(group).length + group.opening === 0) failAll(group, error)
          throw error
        },
      )
      .finally(() => {
        group.first = undefined
      })
    return group.first
  }

  async #open(group: Group, request: JSONRPCRequest): Promise<Member> {
    if (this.#closed) throw this.#draining()
    group.opening += 1
    this.#size += 1
    try {
      const opened = await this.#options.open(request, group.key, group.signature)
      if (this.#closed || group.ended) {
        this.#options.stopping(group.key, opened.link, 'session', false)
        void opened.connection.close()
        throw this.#draining()
      }
      return this.#join(group, opened)
    } finally {
      this.#size -= 1
      group.opening -= 1
    }
  }

  #join(group: Group, opened: PooledConnection): Member {
    const member: Member = {
      ...opened,
      uses: 0,
      listens: 0,
      asking: 0,
      idleSince: performance.now(),
      suspended: undefined,
    }
    group.members.push(member)
    this.#size += 1
    const { idleTimeout, spareIdleTimeout } = this.#options
    const interval = Math.max(20, Math.min(1000, Math.min(idleTimeout, spareIdleTimeout) / 4))
    this.#sweep ??= unrefInterval(() => this.#closeIdle(), interval)
    this.#options.opened(group.key)
    return member
  }

  #group(key: string): Group {
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = {
        key,
        signature: undefined,
        ended: false,
        members: [],
        opening: 0,
        first: undefined,
        waiting: [],
      }
      this.#groups.set(key, group)
    }
    return group
  }

  #closeIdle(): void {
    const time = performance.now()
    const { idleTimeout, spareIdleTimeout } = this.#options
    for (const [key, group] of this.#groups) {
      for (const [index, member] of [...group.members].entries()) {
        const limit = index === 0 || member.listens > 0 ? idleTimeout : spareIdleTimeout
        const idle = member.uses === 0 && time - member.idleSince >= limit
        if (member.link.closed || idle) this.#leave(group, member, 'idle')
      }
      if (group.members.length === 0 && group.opening === 0 && group.waiting.length === 0)
        this.#groups.delete(key)
    }
  }

  /**
   * Makes room by closing the connection that has been idle for longest; where none is idle, the one whose call has been
   * suspended for longest, if for long enough.
   */
  closeOne(): boolean {
    const groups = [...this.#groups.values()]
    const members = groups.flatMap(group => group.members)
    const idle = () =>
      earliest(members, member => (member.uses > 0 || member.listens > 0 ? undefined : member.idleSince))
    const oldest = idle() ?? (this.#reclaim(members) ? idle() : undefined)
    const group = groups.find(candidate => oldest !== undefined && candidate.members.includes(oldest))
    if (oldest === undefined || group === undefined) return false
    this.#leave(group, oldest, 'room')
    return true
  }

  #leave(group: Group, member: Member, reason: StopReason): void {
    const index = group.members.indexOf(member)
    if (index < 0) return
    group.members.splice(index, 1)
    this.#size -= 1
    // It ends by itself, and what it said last is still to be heard.
    if (member.link.closed) return
    this.#options.stopping(group.key, member.link, reason, member.listens > 0)
    const closing = member.connection.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
    closing.catch(() => {})
  }

  #draining(): TransportError {
    return new TransportError('ERR_DRAINING', `${this.#options.name} is shutting down`, {
      hop: this.#options.name,
    })
  }

  #busy(why: string): TransportError {
    return new TransportError('ERR_BUSY', `${this.#options.name} is busy: ${why}`, {
      hop: this.#options.name,
      retryable: true,
    })
  }
}

function failAll(group: Group, error: unknown): void {
  for (const { fail } of group.waiting.splice(0)) fail(error)
}

/** A class, since one is made per call. */
class PoolLease implements Lease {
  readonly #pool: Pool
  readonly #group: Group
  readonly #member: Member
  readonly #exclusive: boolean
  readonly #listens: boolean
  #released = false

  constructor(pool: Pool, group: Group, member: Member, exclusive: boolean, listens: boolean) {
    this.#pool = pool
    this.#group = group
    this.#member = member
    this.#exclusive = exclusive
    this.#listens = listens
  }

  get connection(): LegacyConnection {
    return this.#member.connection
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    if (this.#exclusive) this.#member.suspended = undefined
    this.#pool.giveBack(this.#group, this.#member, this.#exclusive, this.#listens)
  }

  suspended(reclaim: () => void): void {
    // Only a call that others have to wait for is ever ended for them.
    if (!this.#exclusive || isShared(this.#member)) return
    this.#member.suspended = { since: performance.now(), reclaim }
  }

  resumed(): void {
    this.#member.suspended = undefined
  }
}

function lease(pool: Pool, group: Group, member: Member, exclusive: boolean, listens = false): Lease {
  if (listens) member.listens += 1
  else member.uses += 1
  return new PoolLease(pool, group, member, exclusive, listens)
}

/** The member with the earliest time, among those that have one. */
function earliest(
  members: readonly Member[],
  timeOf: (member: Member) => number | undefined,
): Member | undefined {
  let found: { readonly member: Member; readonly time: number } | undefined
  for (const member of members) {
    const time = timeOf(member)
    if (time !== undefined && (found === undefined || time < found.time)) found = { member, time }
  }
  return found?.member
}

function isShared({ link }: Member): boolean {
  return link.exact === true
}

/** A call that may ask can have it now. */
function isFree(member: Member): boolean {
  return member.asking === 0 || isShared(member)
}

/** Members whose connection still stands; the dead ones leave at the next sweep. */
function living(group: Group): Member[] {
  const first = group.members[0]
  if (first === undefined || (group.members.length === 1 && !first.link.closed)) return group.members
  return group.members.filter(member => !member.link.closed)
}

function unrefInterval(callback: () => void, milliseconds: number): ReturnType<typeof setInterval> {
  const timer = setInterval(callback, milliseconds)
  ;(timer as { unref?: () => void }).unref?.()
  return timer
}
