import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { newApiKey } from '../../../../src/middleware/http/api-keys.js'
import { apiKeyFile, changeRecords, readRecords } from '../../../../src/node/storage/api-key-file.js'
import { until } from '../../../fixtures/until.js'

const folders: string[] = []
const place = () => {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-keys-'))
  folders.push(folder)
  return join(folder, 'deep', 'keys.json')
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describe('a file of keys', () => {
  it('is for its owner only, and holds no key', async () => {
    const file = place()
    const { key, record } = await newApiKey('alice')
    await changeRecords(file, records => [...records, record])
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).not.toContain(key.split('_')[2])
    expect(readRecords(file)).toEqual([record])
  })

  it('loses no change of many writers', async () => {
    const file = place()
    const made = await Promise.all(Array.from({ length: 12 }, (_, index) => newApiKey(`name-${index}`)))
    await Promise.all(made.map(({ record }) => changeRecords(file, records => [...records, record])))
    expect(
      readRecords(file)
        ?.map(({ name }) => name)
        .sort(),
    ).toEqual(made.map(({ record }) => record.name).sort())
  })

  it('is followed: keys come, go, and stay while it is broken', async () => {
    const file = place()
    const [alice, bob] = [await newApiKey('alice'), await newApiKey('bob')]
    await changeRecords(file, () => [alice.record])
    const changes: { keys: number; error?: Error }[] = []
    const keys = apiKeyFile({ file, onChange: change => changes.push(change) })
    const check = (token: string) => keys.checkCredential?.({ from: 'api-key', token })
    try {
      expect(check(alice.key)).toMatchObject({ principal: 'alice' })
      expect(check(bob.key)).toMatchObject({ kind: 'invalid' })
      await changeRecords(file, () => [bob.record])
      await until(() => changes.length > 0)
      expect(check(alice.key)).toMatchObject({ kind: 'invalid' })
      expect(check(bob.key)).toMatchObject({ principal: 'bob' })
      writeFileSync(file, '{"version": 1, "keys": [')
      await until(() => changes.some(({ error }) => error !== undefined))
      expect(check(bob.key)).toMatchObject({ principal: 'bob' })
      rmSync(file)
      await until(() => changes.at(-1)?.keys === 0)
      expect(check(bob.key)).toMatchObject({ kind: 'invalid' })
    } finally {
      keys.close()
    }
  })

  it.skipIf(process.platform === 'win32')('that others may write is refused', async () => {
    const file = place()
    await changeRecords(file, () => [])
    chmodSync(file, 0o620)
    expect(() => apiKeyFile({ file })).toThrow(/others can write it/)
    await expect(changeRecords(file, records => records)).rejects.toThrow(TypeError)
  })

  it('that is missing or something else is refused', async () => {
    const file = place()
    expect(() => apiKeyFile({ file })).toThrow(/anyport keys create/)
    await changeRecords(file, () => [])
    for (const text of [
      '',
      'null',
      '[]',
      '{"version":2,"keys":[]}',
      '{"version":1}',
      '{"version":1,"keys":[null]}',
      '{"version":1,"keys":[{}]}',
    ]) {
      writeFileSync(file, text)
      expect(() => apiKeyFile({ file }), text).toThrow(TypeError)
    }
  })
})
