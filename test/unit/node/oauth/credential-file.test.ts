import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { NO_CREDENTIALS, type SignInRecord, withRecord } from '../../../../src/client/oauth/credentials.js'
import { credentialFile, storedCredentials } from '../../../../src/node/oauth/credential-file.js'
import { fileLock, tryFileLock } from '../../../../src/node/storage/file-lock.js'

const SERVER = new URL('https://mcp.example/mcp')
const RECORD: SignInRecord = {
  metadata: { issuer: 'https://auth.example', token_endpoint: 'https://auth.example/token' },
  resource: 'https://mcp.example/mcp',
  client: { id: 'client', origin: 'registered' },
  grant: 'authorization_code',
  tokens: { accessToken: 'a', refreshToken: 'r', issuedAt: 1, scopes: ['x'] },
  signedInAt: 1,
  requestedScopes: ['x'],
}

let folder: string
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'anyport-')), 'sign-ins')
})

describe('the file', () => {
  it('holds what was written, for its owner only', async () => {
    const file = credentialFile(SERVER, { folder })
    expect(await file.read()).toEqual(NO_CREDENTIALS)
    await file.exclusively(held => held.write(withRecord(held.credentials, RECORD)))
    expect(await credentialFile(SERVER, { folder }).read()).toEqual({
      current: 'https://auth.example',
      issuers: { 'https://auth.example': RECORD },
    })
    if (process.platform !== 'win32') {
      expect(statSync(file.path).mode & 0o777).toBe(0o600)
      expect(statSync(folder).mode & 0o777).toBe(0o700)
    }
    expect(readdirSync(folder)).toHaveLength(1)
    expect(await storedCredentials(folder)).toMatchObject([
      { server: 'https://mcp.example/mcp', path: file.path },
    ])
  })

  it('is another one for another server, and shows no query', async () => {
    const secret = credentialFile(new URL('https://mcp.example/mcp?token=planted'), { folder })
    expect(secret.path).not.toBe(credentialFile(SERVER, { folder }).path)
    await secret.exclusively(held => held.write(withRecord(held.credentials, RECORD)))
    expect(secret.path).not.toContain('planted')
    expect(readFileSync(secret.path, 'utf8')).not.toContain('planted')
    expect(await credentialFile(SERVER, { folder }).read()).toEqual(NO_CREDENTIALS)
  })

  it.each(['', '{', '[]', '{"version":1,"issuers":{"x":{"client":1}}}', '{"version":2,"issuers":{}}'])(
    'that is broken is none: %s',
    async text => {
      const file = credentialFile(SERVER, { folder })
      await file.exclusively(async () => {})
      writeFileSync(file.path, text)
      expect((await file.read()).issuers).toEqual({})
    },
  )

  it('that cannot be written is told once, and what was written stays in memory', async () => {
    const blocked = join(mkdtempSync(join(tmpdir(), 'anyport-')), 'file')
    mkdirSync(blocked)
    writeFileSync(join(blocked, 'x'), '')
    const told: Error[] = []
    const file = credentialFile(SERVER, {
      folder: join(blocked, 'x'),
      onUnusable: error => told.push(error),
    })
    const release = await file.claimSignIn()
    expect(release).toBeDefined()
    expect(await file.claimSignIn()).toBeUndefined()
    await release?.()
    for (let i = 0; i < 2; i++)
      await file.exclusively(held => held.write(withRecord(held.credentials, RECORD)))
    expect((await file.read()).current).toBe('https://auth.example')
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({ code: 'ERR_SIGN_IN', facts: { knob: '--credentials' } })
  })

  it('that cannot be replaced any more does not lose what was got', async () => {
    const told: Error[] = []
    const file = credentialFile(SERVER, { folder, onUnusable: error => told.push(error) })
    await file.exclusively(async held => {
      await held.write(withRecord(held.credentials, { ...RECORD, signedInAt: 1 }))
      rmSync(file.path)
      mkdirSync(join(file.path, 'in the way'), { recursive: true })
      await held.write(withRecord(held.credentials, { ...RECORD, signedInAt: 2 }))
    })
    expect((await file.read()).issuers['https://auth.example']?.signedInAt).toBe(2)
    expect(told).toHaveLength(1)
  })

  it('is never seen half written', async () => {
    const file = credentialFile(SERVER, { folder })
    await file.exclusively(held => held.write(withRecord(held.credentials, RECORD)))
    let writing = true
    const writer = (async () => {
      for (let i = 0; i < 50; i++) {
        await file.exclusively(held => held.write(withRecord(held.credentials, { ...RECORD, signedInAt: i })))
      }
      writing = false
    })()
    let reads = 0
    for (; writing || reads === 0; reads++) {
      expect(Object.keys((await file.read()).issuers)).toEqual(['https://auth.example'])
    }
    await writer
    expect(reads).toBeGreaterThan(10)
  })

  it('is changed by one at a time', async () => {
    const files = Array.from({ length: 4 }, () => credentialFile(SERVER, { folder }))
    await files[0]?.exclusively(held =>
      held.write(withRecord(held.credentials, { ...RECORD, signedInAt: 0 })),
    )
    await Promise.all(
      files.map(async file => {
        for (let i = 0; i < 5; i++) {
          await file.exclusively(async held => {
            const record = held.credentials.issuers['https://auth.example'] as SignInRecord
            await new Promise(resolve => setTimeout(resolve, 1))
            await held.write(withRecord(held.credentials, { ...record, signedInAt: record.signedInAt + 1 }))
          })
        }
      }),
    )
    expect((await files[0]?.read())?.issuers['https://auth.example']?.signedInAt).toBe(20)
  })
})

describe('the lock', () => {
  const lockFile = async () => {
    await credentialFile(SERVER, { folder }).exclusively(async () => {})
    return join(folder, 'a.lock')
  }

  it('is held by one, and free after its release', async () => {
    const file = await lockFile()
    const lock = await tryFileLock(file)
    expect(lock).toBeDefined()
    expect(await tryFileLock(file)).toBeUndefined()
    await lock?.release()
    const next = await tryFileLock(file)
    expect(next).toBeDefined()
    await next?.release()
    expect(readdirSync(folder)).toEqual([])
  })

  it('of a process that has died is free at once', async () => {
    const file = await lockFile()
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    writeFileSync(file, JSON.stringify({ id: 'x', pid: child.pid, host: hostname() }))
    const lock = await tryFileLock(file)
    expect(lock).toBeDefined()
    await lock?.release()
  })

  it('of a process on another machine is free when it has not been touched for long', async () => {
    const file = await lockFile()
    writeFileSync(file, JSON.stringify({ id: 'x', pid: process.pid, host: 'elsewhere' }))
    expect(await tryFileLock(file)).toBeUndefined()
    const old = new Date(Date.now() - 60_000)
    utimesSync(file, old, old)
    const lock = await tryFileLock(file)
    expect(lock).toBeDefined()
    await lock?.release()
  })

  it('that is stale goes to exactly one of many', async () => {
    const file = await lockFile()
    for (let round = 0; round < 10; round++) {
      writeFileSync(file, JSON.stringify({ id: 'x', pid: process.pid, host: 'elsewhere' }))
      const old = new Date(Date.now() - 60_000)
      utimesSync(file, old, old)
      const locks = await Promise.all(Array.from({ length: 8 }, () => tryFileLock(file)))
      const held = locks.filter(lock => lock !== undefined)
      expect(held.length).toBeLessThanOrEqual(1)
      const one = held[0] ?? (await fileLock(file, 5_000, () => new Error('late')))
      await one.release()
    }
  })

  it('is waited for, but not for ever', async () => {
    const file = await lockFile()
    const lock = await tryFileLock(file)
    await expect(fileLock(file, 100, () => new Error('late'))).rejects.toThrow('late')
    setTimeout(() => lock?.release(), 100)
    const next = await fileLock(file, 10_000, () => new Error('late'))
    await next.release()
  })
})
