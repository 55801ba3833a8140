import type { Json, Peer } from './sdk-peers.js'

/**
 * What one client sees of `@modelcontextprotocol/server-everything` when it uses all of it, in one fixed order. Two
 * runs of the same client are equal, whatever lies between client and server, after `normalise`.
 */
export async function everythingTranscript(peer: Peer): Promise<Record<string, Json>> {
  const seen: Record<string, Json> = {}
  seen.capabilities = peer.capabilities()
  seen.instructions = peer.instructions()
  seen.tools = await peer.listTools()
  seen.prompts = await peer.listPrompts()
  seen.resources = await peer.listResources()
  seen.templates = await peer.listResourceTemplates()

  seen.echo = await peer.callTool('echo', { message: 'Grüße, 世界 \u2028 🙂' })
  seen.sum = await peer.callTool('get-sum', { a: 2.5, b: 40 })
  seen.image = await peer.callTool('get-tiny-image')
  seen.annotated = await peer.callTool('get-annotated-message', { messageType: 'error', includeImage: true })
  seen.structured = await peer.callTool('get-structured-content', { location: 'Chicago' })
  seen.links = await peer.callTool('get-resource-links', { count: 4 })
  seen.reference = await peer.callTool('get-resource-reference', { resourceType: 'Blob', resourceId: 3 })
  seen.badArguments = await outcome(peer.callTool('echo', { message: 7 }))
  seen.unknownTool = await outcome(peer.callTool('no-such-tool'))

  const progress: Json[] = []
  seen.long = await peer.callTool(
    'trigger-long-running-operation',
    { duration: 0.2, steps: 4 },
    { onProgress: ({ progressToken: _, ...step }) => void progress.push(step) },
  )
  seen.progress = progress

  seen.text = await peer.readResource('demo://resource/dynamic/text/1')
  seen.blob = await peer.readResource('demo://resource/dynamic/blob/2')
  seen.document = await peer.readResource('demo://resource/static/document/architecture.md')
  seen.missing = await outcome(peer.readResource('demo://resource/nowhere'))

  seen.simplePrompt = await peer.getPrompt('simple-prompt')
  seen.promptWithArguments = await peer.getPrompt('args-prompt', { city: 'Lisbon', state: 'Estremadura' })
  seen.promptWithResource = await peer.getPrompt('resource-prompt', { resourceType: 'Text', resourceId: '5' })
  seen.promptWithoutArgument = await outcome(peer.getPrompt('args-prompt', {}))

  seen.completion = await peer.complete({
    ref: { type: 'ref/prompt', name: 'completable-prompt' },
    argument: { name: 'name', value: 'D' },
    context: { arguments: { department: 'Sales' } },
  })
  seen.templateCompletion = await peer.complete({
    ref: { type: 'ref/resource', uri: 'demo://resource/dynamic/text/{resourceId}' },
    argument: { name: 'resourceId', value: '12' },
  })

  peer.questions.length = 0
  seen.sampling = await peer.callTool('trigger-sampling-request', { prompt: 'Hello?', maxTokens: 50 })
  seen.elicitation = await peer.callTool('trigger-elicitation-request')
  seen.questions = peer.questions.filter(question => question.method !== 'roots/list')
  seen.roots = await peer.callTool('get-roots-list')
  return seen
}

/** Drops what differs from run to run (times of day), and where fields are no part of the comparison, those. */
export function normalise(value: Json, dropped: ReadonlySet<string> = new Set()): Json {
  if (typeof value === 'string') return value.replace(/\d{1,2}:\d\d:\d\d( [AP]M)?/g, '<time>')
  if (Array.isArray(value)) return value.map(item => normalise(item, dropped))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => !dropped.has(key) && inner !== undefined)
      .filter(
        ([key, inner]) => key !== '_meta' || Object.keys(inner as object).some(name => !dropped.has(name)),
      )
      .map(([key, inner]) => [
        key,
        key === 'blob' && typeof inner === 'string' ? normaliseBlob(inner) : normalise(inner, dropped),
      ]),
  )
}

/** An error as its code and message; a result as itself. */
async function outcome(promise: Promise<Json>): Promise<Json> {
  try {
    return { result: await promise }
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    return { error: { code, message } }
  }
}

function normaliseBlob(blob: string): Json {
  return normalise(Buffer.from(blob, 'base64').toString())
}
