/** AWS Lambda behind API Gateway, a load balancer or a buffered function URL: replies come in one piece. */

import { fromSdk, lambdaHandler } from 'anyport/lambda'
import { timeServer } from '../server.js'

export const handler = lambdaHandler(fromSdk(timeServer))
