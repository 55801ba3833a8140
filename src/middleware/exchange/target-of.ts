import type { JSONRPCRequest } from '../../protocol/message.js'
import { isObject } from '../../protocol/meta.js'
import { nameParameter } from '../../protocol/methods.js'

export type TargetKind = 'tools' | 'prompts' | 'resources'

/**
 * What a request is about: the tool, prompt or resource that it names. Of each method only the very field counts that its server
 * reads: any other could say something that is allowed.
 */
export function targetOf({ method, params }: JSONRPCRequest): string | undefined {
  const ref = method === 'completion/complete' ? params?.ref : undefined
  if (isObject(ref)) return textOf(ref.type === 'ref/prompt' ? ref.name : ref.uri)
  const field = nameParameter(method)
  return field === undefined ? undefined : textOf(params?.[field])
}

export function targetKindOf({ method, params }: JSONRPCRequest): TargetKind | undefined {
  switch (method) {
    case 'tools/call':
      return 'tools'
    case 'prompts/get':
      return 'prompts'
    case 'resources/read':
      return 'resources'
    case 'completion/complete':
      if (!isObject(params?.ref)) return undefined
      return params.ref.type === 'ref/prompt' ? 'prompts' : 'resources'
    default:
      return undefined
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
