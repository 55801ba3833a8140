import { expect, it } from 'vitest'
import { instances } from '../../../src/client/instances.js'
import { Context } from '../../../src/exchange/context.js'
import { fromSdk } from '../../../src/sdk/from-sdk.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { deeds, v1Server } from '../../fixtures/sdk-servers.js'

const ECHO = { name: 'echo', arguments: { text: 'x' } }

it('calls one after the other use one server, calls at once one each, at most so many', async () => {
  const done = deeds()
  const handler = instances(
    fromSdk(() => v1Server(done)),
    { maxInstances: 5 },
  )
  const call = () => modernRequest(handler, 'tools/call', ECHO)
  for (let index = 0; index < 20; index++) expect((await call()).result?.content).toBeDefined()
  expect(done.made).toBe(1)
  const replies = await Promise.all(Array.from({ length: 8 }, call))
  expect(replies.filter(({ result }) => result !== undefined)).toHaveLength(5)
  expect(replies.find(({ error }) => error !== undefined)?.error?.message).toMatch(/5 calls run/)
  expect(done.made).toBe(5)
  expect((await call()).result).toBeDefined()
})

it('two principals never share a server, nor does anybody get one whose call was cancelled', async () => {
  const done = deeds()
  const handler = instances(fromSdk(() => v1Server(done)))
  const as = (principal: string) => modernRequest(handler, 'tools/call', ECHO, { principal })
  await as('ada')
  await as('bob')
  await as('ada')
  expect(done.made).toBe(2)

  const context = new Context({ binding: 'fetch', principal: 'ada' })
  const waiting = modernRequest(handler, 'tools/call', { name: 'wait', arguments: {} }, { context })
  await new Promise(resolve => setTimeout(resolve, 20))
  context.cancel('hangup')
  await waiting
  await as('ada')
  expect([done.cancelled, done.made]).toEqual([1, 3])
})
