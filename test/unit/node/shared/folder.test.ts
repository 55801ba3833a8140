import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { secureFolder, sharedFolder } from '../../../../src/node/shared/folder.js'

const home = () => '/home/me'
const newFolder = () => realpathSync(mkdtempSync(join(tmpdir(), 'anyport-')))

describe('where it is', () => {
  it.each([
    ['linux', { XDG_RUNTIME_DIR: '/run/user/1000', XDG_STATE_HOME: '/state' }, '/run/user/1000/anyport'],
    ['linux', { XDG_STATE_HOME: '/state' }, '/state/anyport'],
    ['linux', { XDG_RUNTIME_DIR: 'relative' }, '/home/me/.local/state/anyport'],
    ['linux', { XDG_RUNTIME_DIR: '' }, '/home/me/.local/state/anyport'],
    ['darwin', {}, '/home/me/Library/Application Support/anyport'],
    [
      'win32',
      { LOCALAPPDATA: 'C:\\Users\\me\\AppData\\Local' },
      'C:\\Users\\me\\AppData\\Local\\anyport\\shared',
    ],
    ['win32', {}, '\\home\\me\\AppData\\Local\\anyport\\shared'],
  ])('%s %j', (platform, env, expected) => {
    expect(sharedFolder({ platform, env, home })).toBe(expected)
  })
})

describe('who can enter it', () => {
  it('is made for its owner alone', () => {
    const folder = join(newFolder(), 'deep', 'anyport')
    secureFolder(folder)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    secureFolder(folder)
  })

  it.each([0o755, 0o710, 0o702, 0o777])('is refused where others can enter: %o', mode => {
    const folder = join(newFolder(), 'anyport')
    mkdirSync(folder)
    chmodSync(folder, mode)
    expect(() => secureFolder(folder)).toThrow('others can enter it')
  })

  it('is refused where it belongs to another user', () => {
    const folder = join(newFolder(), 'anyport')
    mkdirSync(folder, { mode: 0o700 })
    expect(() => secureFolder(folder, { uid: statSync(folder).uid + 1 })).toThrow('belongs to another user')
  })

  it('is refused where it is a link or a file', () => {
    const parent = newFolder()
    mkdirSync(join(parent, 'real'), { mode: 0o700 })
    symlinkSync(join(parent, 'real'), join(parent, 'anyport'))
    expect(() => secureFolder(join(parent, 'anyport'))).toThrow('it is no folder')
    writeFileSync(join(parent, 'file'), '')
    expect(() => secureFolder(join(parent, 'file'))).toThrow('cannot be made')
  })

  it('is refused where others can put another in its place, unless the folder above is sticky', () => {
    const parent = newFolder()
    chmodSync(parent, 0o777)
    expect(() => secureFolder(join(parent, 'anyport'))).toThrow('others can put another in its place')
    chmodSync(parent, 0o1777)
    secureFolder(join(parent, 'anyport'))
  })

  it('is left to the system on Windows', () => {
    const folder = join(newFolder(), 'anyport')
    mkdirSync(folder, { mode: 0o755 })
    secureFolder(folder, { platform: 'win32', uid: undefined })
  })
})
