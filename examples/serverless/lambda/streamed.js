/** AWS Lambda behind a function URL whose invoke mode is RESPONSE_STREAM: replies come as they are made. */

import { fromSdk, streamedLambdaHandler } from 'anyport/lambda'
import { timeServer } from '../server.js'

export const handler = streamedLambdaHandler(fromSdk(timeServer))
