/** anyport on AWS Lambda: a server as the function that Lambda calls. */

export type { Target } from './client/open.js'
export type { Handler } from './exchange/exchange.js'
export type { ConnectedSdkServer, FromSdkOptions, SdkServer, SdkServerFactory } from './sdk/from-sdk.js'
export { fromSdk } from './sdk/from-sdk.js'
export type { FetchHandlerOptions } from './serverless/fetch-handler.js'
export type { LambdaContext, LambdaEvent, LambdaResult } from './serverless/lambda-event.js'
export type {
  LambdaHandler,
  LambdaHandlerOptions,
  LambdaStream,
  StreamedLambdaHandler,
} from './serverless/lambda-handler.js'
export { lambdaHandler, streamedLambdaHandler } from './serverless/lambda-handler.js'
