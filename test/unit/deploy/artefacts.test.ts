/** The files of `deploy/`: what can be said of them without an engine. `npm run deploy:check` does what they say. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { finalStage, instructionsOf, stagesOf } from '../../../scripts/dockerfile.mjs'
import { parseArguments } from '../../../src/cli/arguments.js'
import { SERVE_OPTIONS } from '../../../src/cli/serve-options.js'
import { parseDuration } from '../../../src/config/units.js'
import { loadConfig } from '../../../src/node/config/load-config.js'

const root = new URL('../../../', import.meta.url)
const textOf = (file: string) => readFileSync(new URL(`deploy/${file}`, root), 'utf8')

/** The words that follow `anyport`. They are those of a `serve` that asks who calls, unless it stays on this machine. */
function served(words: readonly string[]) {
  expect(words[0]).toBe('serve')
  const { options } = parseArguments(SERVE_OPTIONS, words.slice(1))
  expect(options.keys).toBeDefined()
  return options
}

describe('Dockerfile', () => {
  const text = textOf('Dockerfile')
  const stage = finalStage(text)
  const of = (name: string) =>
    stage.filter(({ instruction }) => instruction === name).map(({ value }) => value)
  const words = (name: string) => JSON.parse(of(name)[0] as string) as string[]

  it('starts anyport below an init, by words and not by a shell, as a number that is not root', () => {
    expect(words('ENTRYPOINT')).toEqual(['tini', '--', 'node', '/app/dist/bin/anyport.js'])
    expect(of('RUN').join()).toContain('tini')
    const options = served(words('CMD'))
    expect(options).toMatchObject({ host: '0.0.0.0', port: 3000, config: '/etc/anyport/anyport.json' })
    expect(of('USER')).toEqual(['1000:1000'])
    expect(of('STOPSIGNAL')).toEqual(['SIGTERM'])
    expect(of('EXPOSE')).toEqual(['3000'])
  })

  it('has a health check that runs, and fails where nothing listens', () => {
    const [check] = of('HEALTHCHECK')
    const [node, ...rest] = JSON.parse((check as string).slice((check as string).indexOf('['))) as string[]
    expect(node).toBe('node')
    expect(rest[1]).toContain('http://127.0.0.1:3000/healthz')
    // Port 1 is nobody's.
    const unheard = rest.map(word => word.replace(':3000', ':1'))
    expect(() => execFileSync(process.execPath, unheard, { timeout: 20_000 })).toThrow()
  })

  it('names only what there is, and its base images exactly as the package needs Node', () => {
    const build = stagesOf(text)[0] ?? []
    for (const { instruction, value } of build) {
      if (instruction !== 'COPY' || value === '. .') continue
      for (const file of value.split(' ').slice(0, -1))
        expect(existsSync(new URL(file, root)), file).toBe(true)
    }
    const froms = instructionsOf(text).filter(({ instruction }) => instruction === 'FROM')
    expect(froms.map(({ value }) => value.split(' ')[0])).toEqual(['node:20-slim', 'node:20-slim'])
    const ignore = textOf('Dockerfile.dockerignore').split('\n').filter(Boolean)
    expect(ignore[0]).toBe('*')
    for (const line of ignore.slice(1).filter(line => !line.includes('*')))
      expect(existsSync(new URL(line.slice(1), root)), line).toBe(true)
  })
})

it('anyport.json is read without a warning', async () => {
  const { servers, warnings } = await loadConfig({ file: new URL('deploy/anyport.json', root).pathname })
  expect(servers).toHaveLength(1)
  expect(warnings).toEqual([])
})

it('compose.yaml: no rights, limits, secrets that are there, and time to end', () => {
  const { services, secrets, configs } = parse(textOf('compose.yaml'))
  const { anyport } = services
  const options = served(anyport.command.map((word: string) => word.replace(/\$\{\w+:-([^}]*)\}/, '$1')))
  expect(options.keys).toBe('/run/secrets/anyport-keys')
  expect(parseDuration(anyport.stop_grace_period)).toBeGreaterThan(options['drain-timeout'])
  expect(anyport).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    build: { context: '..', dockerfile: 'deploy/Dockerfile' },
  })
  expect([anyport.mem_limit, anyport.cpus, anyport.pids_limit].every(limit => limit !== undefined)).toBe(true)
  // Only the loopback address of the host.
  for (const port of anyport.ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  expect(Object.keys(secrets)).toEqual(anyport.secrets)
  expect(Object.keys(configs)).toEqual(anyport.configs.map(({ source }: { source: string }) => source))
  expect(anyport.configs[0].target).toBe(options.config)
})

describe('anyport.service', () => {
  const text = textOf('anyport.service')
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''

  it('starts what our command takes, and waits until it has ended', () => {
    const words = setting('ExecStart').split(' ')
    expect(words[0]).toBe('/usr/bin/anyport')
    const options = served(words.slice(1))
    expect(parseDuration(setting('TimeoutStopSec'))).toBeGreaterThan(options['drain-timeout'])
    const [credential] = setting('LoadCredential').split(':')
    expect(options.keys).toBe(`\${CREDENTIALS_DIRECTORY}/${credential}`)
    expect(options.host).toBe('127.0.0.1')
    expect(setting('KillMode')).toBe('mixed')
  })

  const analyze = '/usr/bin/systemd-analyze'
  it.skipIf(!existsSync(analyze) && process.env.CI !== 'true')(
    'is one that systemd understands, and calls safe',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'anyport-unit-'))
      try {
        const file = join(folder, 'anyport.service')
        // It looks for the program.
        writeFileSync(file, text.replace('/usr/bin/anyport', '/usr/bin/env'))
        const options = { encoding: 'utf8', stdio: 'pipe', timeout: 30_000 } as const
        expect(execFileSync(analyze, ['verify', file], options)).toBe('')
        const told = execFileSync(analyze, ['security', '--offline=true', file], options)
        const [, level] = /exposure level for anyport\.service: ([\d.]+)/.exec(told) ?? []
        expect(Number(level)).toBeLessThan(2)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  )
})

describe('kubernetes/anyport.yaml', () => {
  const documents = parseAllDocuments(textOf('kubernetes/anyport.yaml')).map(document => {
    expect(document.errors).toEqual([])
    return document.toJS()
  })
  const of = (kind: string) => documents.find(document => document.kind === kind)
  const deployment = of('Deployment')
  const pod = deployment.spec.template.spec
  const [container] = pod.containers

  it('is what belongs together', () => {
    expect(documents.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
      'v1 ConfigMap',
      'apps/v1 Deployment',
      'v1 Service',
      'networking.k8s.io/v1 NetworkPolicy',
    ])
    const { labels } = deployment.spec.template.metadata
    expect(deployment.spec.selector.matchLabels).toEqual(labels)
    expect(of('Service').spec.selector).toEqual(labels)
    expect(of('NetworkPolicy').spec.podSelector.matchLabels).toEqual(labels)
    const names = container.ports.map(({ name }: { name: string }) => name)
    expect(names).toContain(of('Service').spec.ports[0].targetPort)
    expect(of('NetworkPolicy').spec.ingress[0].ports[0].port).toBe(container.ports[0].containerPort)
    const mounted = container.volumeMounts.map(({ name }: { name: string }) => name).sort()
    expect(pod.volumes.map(({ name }: { name: string }) => name).sort()).toEqual(mounted)
  })

  it('starts what our command takes, on the files that are mounted, and waits until it has ended', () => {
    const options = served(container.args)
    expect(options.port).toBe(container.ports[0].containerPort)
    const under = (file: string | undefined) =>
      container.volumeMounts.some(({ mountPath }: { mountPath: string }) => file?.startsWith(`${mountPath}/`))
    expect([under(options.keys), under(options.config)]).toEqual([true, true])
    expect(Object.keys(of('ConfigMap').data)).toEqual([options.config?.split('/').at(-1)])
    expect(() => JSON.parse(of('ConfigMap').data['anyport.json'])).not.toThrow()
    const sleep = Number(container.lifecycle.preStop.exec.command[1]) * 1_000
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(sleep + options['drain-timeout'])
  })

  it('is admitted by the restricted standard, and asks for its health where we answer', () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(`${pod.securityContext.runAsUser}:${pod.securityContext.runAsGroup}`).toBe('1000:1000')
    expect(pod.automountServiceAccountToken).toBe(false)
    const path = (probe: string) => container[probe].httpGet.path
    expect([path('startupProbe'), path('livenessProbe'), path('readinessProbe')]).toEqual([
      '/healthz',
      '/healthz',
      '/readyz',
    ])
    expect(container.resources.limits.memory).toBeDefined()
  })
})
