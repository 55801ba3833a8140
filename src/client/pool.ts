import type { Context } from '../exchange/context.js'
import { orCancelled, within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { LegacyConnection } from '../legacy/connection.js'
import type { ConnectionSource, Lease } from '../legacy/from-session.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import type { Calls } from '../transport/channel/calls.js'

export interface PoolOptions {
  readonly name: string
  /** Which group of connections serves a request: nobody else's are ever used for it. */
  readonly keyOf: (request: JSONRPCRequest, context: Context) => string
  readonly open: (request: JSONRPCRequest) => Promise<PooledConnection>
  /** How many connections one group may have for calls that may ask. */
  readonly maxPerGroup: number
  readonly maxConnections: number
  /** How long a call waits for its group's busy connections before another one is opened, in milliseconds. */
  readonly spillAfter: number
  /** How long a call waits for a connection at all, in milliseconds. */
  readonly queueTimeout: number
  /** When an idle connection is closed, in milliseconds: a group's first one, and the others. */
  readonly idleTimeout: number
  readonly spareIdleTimeout: number
}

export interface PooledConnection {
  readonly connection: LegacyConnection
  readonly calls: Calls
}

/** One call at a time on each member, for calls that may ask. */
interface Member extends PooledConnection {
  uses: number
  exclusive: boolean
  idleSince: number
}

interface Group {
  readonly members: Member[]
  /** Opens in progress, so that calls that come together share one. */
  opening: number
  first: Promise<Member> | undefined
  readonly waiting: ((member: Member) => void)[]
}

const MAX_WAITING = 1000

/** Connections to one legacy server: shared by calls that cannot be asked, one call each for those that can. */
export class Pool implements ConnectionSource {
  #options: PoolOptions
  #groups = new Map<string, Group>()
  #size = 0
  #sweep: ReturnType<typeof setInterval> | undefined
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** The connections that are open. */
  get size(): number {
    return this.#size
  }

  /** Takes in a connection that was opened to find out the server's era. */
  adopt(key: string, opened: PooledConnection): void {
    const member = this.#join(this.#group(key), opened)
    member.idleSince = performance.now()
  }

  acquire(request: JSONRPCRequest, context: Context, exclusive: boolean): Lease | Promise<Lease> {
    const group = this.#group(this.#options.keyOf(request, context))
    if (!exclusive) {
      const member = living(group)[0]
      return member === undefined
        ? this.#acquireFirst(group, request, context)
        : lease(this, group, member, false)
    }
    return this.#acquireExclusive(group, request, context)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    const members = [...this.#groups.values()].flatMap(group => group.members)
    this.#groups.clear()
    await Promise.all(members.map(member => member.connection.close()))
  }

  /** Gives a member back after a call, to the next one that waits for it. */
  giveBack(group: Group, member: Member, exclusive: boolean): void {
    member.uses -= 1
    member.idleSince = performance.now()
    if (!exclusive) return
    member.exclusive = false
    if (!member.calls.closed) this.#serveNext(group, member)
  }

  async #acquireFirst(group: Group, request: JSONRPCRequest, context: Context): Promise<Lease> {
    const member = await orCancelled(this.#first(group, request), context)
    return lease(this, group, member, false)
  }

  async #acquireExclusive(group: Group, request: JSONRPCRequest, context: Context): Promise<Lease> {
    const free = living(group).find(member => !member.exclusive)
    if (free !== undefined) return lease(this, group, free, true)
    if (group.members.length === 0 && group.opening === 0) {
      const member = await orCancelled(this.#first(group, request), context)
      if (!member.exclusive) return lease(this, group, member, true)
    }
    return this.#wait(group, request, context)
  }

  async #wait(group: Group, request: JSONRPCRequest, context: Context): Promise<Lease> {
    if (group.waiting.length >= MAX_WAITING) throw this.#busy('too many calls wait for it')
    let served: (member: Member) => void = () => {}
    const turn = new Promise<Member>(resolve => {
      served = resolve
    })
    group.waiting.push(served)
    const spill = setTimeout(() => this.#spill(group, request), this.#options.spillAfter)
    try {
      const member = await orCancelled(
        within(turn, this.#options.queueTimeout, () => this.#busy('its connections stayed busy')),
        context,
      )
      return lease(this, group, member, true)
    } catch (error) {
      const index = group.waiting.indexOf(served)
      if (index >= 0) group.waiting.splice(index, 1)
      // Served in the same turn as cancelled: pass the member on.
      else void turn.then(member => this.#serveNext(group, member))
      throw error
    } finally {
      clearTimeout(spill)
    }
  }

  /** A call has waited long enough: its group gets another connection, where the limits allow. */
  #spill(group: Group, request: JSONRPCRequest): void {
    if (group.waiting.length === 0) return
    if (group.members.length + group.opening >= this.#options.maxPerGroup) return
    this.#open(group, request).then(
      member => this.#serveNext(group, member),
      () => {}, // who waits goes on waiting for the others
    )
  }

  #serveNext(group: Group, member: Member): void {
    const next = group.waiting.shift()
    if (next === undefined) return
    member.exclusive = true
    next(member)
  }

  #first(group: Group, request: JSONRPCRequest): Promise<Member> {
    group.first ??= this.#open(group, request).finally(() => {
      group.first = undefined
    })
    return group.first
  }

  async #open(group: Group, request: JSONRPCRequest): Promise<Member> {
    if (this.#closed) throw new TransportError('ERR_DRAINING', `${this.#options.name} is shutting down`)
    if (this.#size >= this.#options.maxConnections && !this.#evict())
      throw this.#busy('it has too many connections')
    group.opening += 1
    this.#size += 1
    try {
      const opened = await this.#options.open(request)
      this.#size -= 1
      const member = this.#join(group, opened)
      if (this.#closed) void opened.connection.close()
      return member
    } catch (error) {
      this.#size -= 1
      throw error
    } finally {
      group.opening -= 1
    }
  }

  #join(group: Group, opened: PooledConnection): Member {
    const member: Member = { ...opened, uses: 0, exclusive: false, idleSince: performance.now() }
    group.members.push(member)
    this.#size += 1
    this.#sweep ??= unrefInterval(() => this.#closeIdle(), 1000)
    return member
  }

  #group(key: string): Group {
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = { members: [], opening: 0, first: undefined, waiting: [] }
      this.#groups.set(key, group)
    }
    return group
  }

  #closeIdle(): void {
    const time = performance.now()
    const { idleTimeout, spareIdleTimeout } = this.#options
    for (const [key, group] of this.#groups) {
      for (const [index, member] of [...group.members].entries()) {
        const limit = index === 0 ? idleTimeout : spareIdleTimeout
        const idle = member.uses === 0 && !member.connection.listening && time - member.idleSince >= limit
        if (member.calls.closed || idle) this.#leave(group, member)
      }
      if (group.members.length === 0 && group.opening === 0 && group.waiting.length === 0)
        this.#groups.delete(key)
    }
  }

  /** Makes room by closing the connection that has been idle for longest. */
  #evict(): boolean {
    let oldest: { group: Group; member: Member } | undefined
    for (const group of this.#groups.values()) {
      for (const member of group.members) {
        if (member.uses > 0 || member.connection.listening) continue
        if (oldest === undefined || member.idleSince < oldest.member.idleSince) oldest = { group, member }
      }
    }
    if (oldest === undefined) return false
    this.#leave(oldest.group, oldest.member)
    return true
  }

  #leave(group: Group, member: Member): void {
    const index = group.members.indexOf(member)
    if (index < 0) return
    group.members.splice(index, 1)
    this.#size -= 1
    void member.connection.close()
  }

  #busy(why: string): TransportError {
    return new TransportError('ERR_BUSY', `${this.#options.name} is busy: ${why}`, {
      hop: this.#options.name,
      retryable: true,
    })
  }
}

function lease(pool: Pool, group: Group, member: Member, exclusive: boolean): Lease {
  member.uses += 1
  if (exclusive) member.exclusive = true
  let released = false
  return {
    connection: member.connection,
    release() {
      if (released) return
      released = true
      pool.giveBack(group, member, exclusive)
    },
  }
}

/** Members whose connection still stands; the dead ones leave at the next sweep. */
function living(group: Group): Member[] {
  const first = group.members[0]
  if (first === undefined || (group.members.length === 1 && !first.calls.closed)) return group.members
  return group.members.filter(member => !member.calls.closed)
}

function unrefInterval(callback: () => void, milliseconds: number): ReturnType<typeof setInterval> {
  const timer = setInterval(callback, milliseconds)
  ;(timer as { unref?: () => void }).unref?.()
  return timer
}
