/** Unix domain sockets and TCP as bytes: the stdio framing over a connection. */

import { lstat, unlink } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { TransportError } from '../exchange/errors.js'
import type { ByteStream } from '../transport/channel/channel.js'
import { endWritable, whenDrained, writeChunks } from './byte-stream.js'

export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number }

export interface ConnectSocketOptions {
  /** How long to wait for the connection, in milliseconds; 10 seconds by default. */
  readonly timeout?: number
}

export interface ListenSocketOptions {
  /** Replaces the file of a Unix socket that nobody answers on. Default true. */
  readonly replaceStale?: boolean
}

export interface SocketListener {
  /** Where it listens: for TCP with the port that was really bound. */
  readonly address: SocketAddress
  /** Stops accepting. Open connections belong to whoever received them. */
  close(): Promise<void>
}

/** `sun_path` holds 108 bytes on Linux and 104 elsewhere, the terminating zero included. */
const MAX_PATH = process.platform === 'linux' ? 107 : 103
const END_TIMEOUT = 1_000

/** An address as the command line writes it: `socket:PATH` or `tcp://HOST:PORT`. */
export function formatSocketAddress(address: SocketAddress): string {
  if ('path' in address) return `socket:${address.path}`
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** Rejects with `TransportError` ERR_CONNECT or ERR_TIMEOUT. */
export function connectSocket(
  address: SocketAddress,
  { timeout = 10_000 }: ConnectSocketOptions = {},
): Promise<ByteStream> {
  const name = formatSocketAddress(address)
  return new Promise((resolve, reject) => {
    if ('path' in address) checkPath(address.path)
    const socket = 'path' in address ? connect(address.path) : connect(address.port, address.host)
    const fail = (error: TransportError) => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const onError = (error: NodeJS.ErrnoException) => fail(connectError(name, error))
    const timer = setTimeout(
      () =>
        fail(
          new TransportError('ERR_TIMEOUT', `${name} did not accept a connection within ${timeout} ms`, {
            hop: name,
            retryable: true,
          }),
        ),
      timeout,
    )
    socket.once('error', onError)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', onError)
      resolve(socketStream(socket, name, 'failure'))
    })
  })
}

/**
 * Listens on a socket. A Unix socket file is created with mode 0600; a file left over by a process that died
 * is replaced, one that somebody answers on is not. Rejects with `TransportError` ERR_LISTEN.
 */
export async function listenSocket(
  address: SocketAddress,
  onConnection: (stream: ByteStream, peer: { readonly address?: string }) => void,
  { replaceStale = true }: ListenSocketOptions = {},
): Promise<SocketListener> {
  const name = formatSocketAddress(address)
  const server = createServer({ noDelay: true, pauseOnConnect: true }, socket => {
    const remote = socket.remoteAddress
    onConnection(socketStream(socket, name, 'normal'), remote === undefined ? {} : { address: remote })
  })
  if ('path' in address) {
    checkPath(address.path)
    if (replaceStale) await removeStale(address.path)
    await listenPrivately(server, name, address.path)
  } else await listen(server, name, { host: address.host, port: address.port })
  // A failure to accept (out of file descriptors) concerns one connection, not the listener.
  server.on('error', () => {})
  const bound = server.address()
  return {
    address:
      'path' in address || bound === null || typeof bound === 'string'
        ? address
        : { host: address.host, port: bound.port },
    close: () =>
      new Promise(resolve => {
        // Resolves at once although connections are still open; the event would wait for them.
        server.close()
        resolve()
      }),
  }
}

function socketStream(socket: Socket, name: string, peerEnd: 'normal' | 'failure'): ByteStream {
  let closing = false
  let failure: Error | undefined
  let ended = false
  let onClosed: ((error?: Error) => void) | undefined
  const finish = () => {
    ended = true
    if (onClosed === undefined) return
    if (closing || (peerEnd === 'normal' && failure === undefined)) onClosed()
    else onClosed(closedError(name, failure))
    onClosed = undefined
  }
  socket.setNoDelay(true)
  // Finds a peer whose machine is gone.
  socket.setKeepAlive(true, 30_000)
  socket.on('error', error => {
    failure = error
  })
  socket.on('close', finish)
  return {
    name,
    listen(listener) {
      onClosed = error => listener.closed(error)
      if (ended) return finish()
      socket.on('data', chunk => listener.data(chunk))
      socket.resume()
    },
    write: chunks => writeChunks(socket, chunks),
    drained: () => whenDrained(socket),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    async close() {
      if (closing) return
      closing = true
      await endWritable(socket, END_TIMEOUT)
      socket.destroy()
    },
  }
}

/** Created under a mask rather than changed afterwards: nobody else can connect in between. */
async function listenPrivately(server: Server, name: string, path: string): Promise<void> {
  // The bind happens within listen(), so that the mask is back before anything else runs.
  const mask = process.umask(0o177)
  try {
    const listening = listen(server, name, { path })
    process.umask(mask)
    await listening
  } finally {
    process.umask(mask)
  }
}

function listen(
  server: Server,
  name: string,
  where: { path: string } | { host: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const knob = 'path' in where ? '--socket' : '--tcp'
      reject(
        new TransportError('ERR_LISTEN', listenMessage(name, knob, error), { hop: name, knob, cause: error }),
      )
    })
    server.listen(where, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

function listenMessage(name: string, knob: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `${name} is already in use; choose another with ${knob}`
    case 'EACCES':
      return `No permission to listen on ${name}; choose another with ${knob}`
    case 'ENOENT':
      return `The folder of ${name} does not exist`
    case 'EADDRNOTAVAIL':
      return `${name} is not an address of this machine; choose another with ${knob}`
    default:
      return `Cannot listen on ${name}: ${error.message}`
  }
}

function closedError(name: string, cause: Error | undefined): TransportError {
  return new TransportError('ERR_CLOSED', `${name} closed the connection`, {
    hop: name,
    ...(cause === undefined ? {} : { cause }),
  })
}

function connectError(name: string, error: NodeJS.ErrnoException): TransportError {
  const why =
    error.code === 'ECONNREFUSED'
      ? 'nobody listens there'
      : error.code === 'ENOENT'
        ? 'there is no such socket'
        : error.code === 'EACCES'
          ? 'no permission'
          : error.code === 'ENOTFOUND'
            ? 'the host name is unknown'
            : error.message
  return new TransportError('ERR_CONNECT', `Cannot connect to ${name}: ${why}`, {
    hop: name,
    retryable: true,
    cause: error,
  })
}

function checkPath(path: string): void {
  const length = Buffer.byteLength(path)
  if (process.platform === 'win32' || length <= MAX_PATH) return
  throw new TypeError(
    `The socket path ${path} is ${length} bytes long; the system allows ${MAX_PATH}. Choose a shorter one, for example under /tmp`,
  )
}

/** Removes a socket file that nobody answers on; anything else at the path is an error. */
async function removeStale(path: string): Promise<void> {
  if (process.platform === 'win32') return
  let isSocket: boolean
  try {
    isSocket = (await lstat(path)).isSocket()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if (!isSocket) {
    throw new TransportError(
      'ERR_LISTEN',
      `${path} exists and is no socket; choose another path with --socket`,
      { hop: path, knob: '--socket' },
    )
  }
  if (await answers(path)) {
    throw new TransportError(
      'ERR_LISTEN',
      `Another process already listens on ${path}; choose another path with --socket`,
      { hop: path, knob: '--socket' },
    )
  }
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path)
    const finish = (answer: boolean) => {
      clearTimeout(timer)
      probe.destroy()
      resolve(answer)
    }
    // A listener whose backlog is full neither accepts nor refuses: it is alive.
    const timer = setTimeout(() => finish(true), 1_000)
    probe.once('connect', () => finish(true))
    probe.once('error', (error: NodeJS.ErrnoException) =>
      finish(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
