import type { Target } from './target.js'
import * as config from './targets/config.js'
import * as faces from './targets/faces.js'
import * as gateway from './targets/gateway.js'
import * as http from './targets/http.js'
import * as lambda from './targets/lambda.js'
import * as messages from './targets/messages.js'

export const TARGETS: readonly Target[] = [messages, http, faces, lambda, gateway, config].flatMap(targets =>
  Object.values(targets),
)
