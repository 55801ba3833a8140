import { describe, expect, it } from 'vitest'
import { canonicalResource, coversServer } from '../../../../src/client/oauth/addresses.js'
import { mayVisit } from '../../../../src/exchange/reachable-address.js'

const REMOTE = 'https://mcp.example/mcp'
const LOCAL = 'http://127.0.0.1:3000/mcp'
const INSIDE = 'https://10.0.0.5/mcp'

describe('what a server may send us to', () => {
  it.each([
    [REMOTE, 'https://auth.example/x'],
    [REMOTE, 'https://auth.example:8443/'],
    [REMOTE, 'https://8.8.8.8/'],
    [LOCAL, 'http://localhost:4000/'],
    [LOCAL, 'http://[::1]:4000/'],
    [LOCAL, 'https://auth.example/'],
    [LOCAL, 'https://10.0.0.1/'],
    [INSIDE, 'https://192.168.1.1/'],
  ])('%s to %s', (server, address) => {
    expect(mayVisit(new URL(address), new URL(server))).toBe(true)
  })
})

describe('what it may not', () => {
  it.each([
    [REMOTE, 'http://auth.example/'],
    [REMOTE, 'http://127.0.0.1:22/'],
    [REMOTE, 'https://localhost/'],
    [REMOTE, 'https://app.localhost/'],
    [REMOTE, 'https://127.1/'],
    [REMOTE, 'https://2130706433/'],
    [REMOTE, 'https://169.254.169.254/latest/meta-data'],
    [REMOTE, 'https://0xa9fea9fe/'],
    [REMOTE, 'https://10.1.2.3/'],
    [REMOTE, 'https://172.16.0.1/'],
    [REMOTE, 'https://192.168.0.1/'],
    [REMOTE, 'https://0.0.0.0/'],
    [REMOTE, 'https://[::]/'],
    [REMOTE, 'https://[::1]/'],
    [REMOTE, 'https://[fe80::1]/'],
    [REMOTE, 'https://[fd00::1]/'],
    [REMOTE, 'https://[::ffff:10.0.0.1]/'],
    [REMOTE, 'https://user:password@auth.example/'],
    [REMOTE, 'file:///etc/passwd'],
    [REMOTE, 'javascript:alert(1)'],
    [LOCAL, 'http://auth.example/'],
    [INSIDE, 'http://10.0.0.5/'],
    [INSIDE, 'https://127.0.0.1/'],
  ])('%s to %s', (server, address) => {
    expect(mayVisit(new URL(address), new URL(server))).toBe(false)
  })
})

describe('metadata', () => {
  const covers = (resource: string, server: string) => coversServer(new URL(resource), new URL(server))

  it('is about the server, or about a parent of its path', () => {
    expect(covers('https://x.example', 'https://x.example/a/mcp')).toBe(true)
    expect(covers('https://x.example/a', 'https://x.example/a/mcp')).toBe(true)
    expect(covers('https://x.example/a/mcp/', 'https://x.example/a/mcp')).toBe(true)
    expect(covers('https://X.example:443/a', 'https://x.example/a')).toBe(true)
    expect(covers('https://x.example/a', 'https://x.example/a?key=1')).toBe(true)
  })

  it('is not about a neighbour, a child or another host', () => {
    expect(covers('https://x.example/a/mc', 'https://x.example/a/mcp')).toBe(false)
    expect(covers('https://x.example/a/mcp/b', 'https://x.example/a/mcp')).toBe(false)
    expect(covers('https://y.example/a', 'https://x.example/a')).toBe(false)
    expect(covers('http://x.example/a', 'https://x.example/a')).toBe(false)
    expect(covers('https://x.example:8443/a', 'https://x.example/a')).toBe(false)
    expect(covers('https://x.example/a?b', 'https://x.example/a')).toBe(false)
    expect(covers('https://x.example/a#b', 'https://x.example/a')).toBe(false)
  })
})

it('a server is called by its address without what does not belong there', () => {
  expect(canonicalResource(new URL('HTTPS://user:pass@X.example:443/#f'))).toBe('https://x.example')
  expect(canonicalResource(new URL('https://x.example/mcp?token=secret'))).toBe('https://x.example/mcp')
})
