/** Events as AWS sends them: API Gateway's formats 1.0 and 2.0, function URLs, load balancers. */

const API = 'abc123.execute-api.eu-west-1.amazonaws.com'
const FORWARDED = {
  'x-amzn-trace-id': 'Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e',
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-port': '443',
  'x-forwarded-proto': 'https',
}

export const events = {
  'API Gateway 1.0': ({ method, url, headers, body }) => {
    const sent = { Host: API, ...FORWARDED, ...headers }
    return {
      resource: '/{proxy+}',
      path: url,
      httpMethod: method,
      headers: sent,
      multiValueHeaders: lists(sent),
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      pathParameters: { proxy: url.slice(1) },
      stageVariables: null,
      requestContext: {
        resourcePath: '/{proxy+}',
        httpMethod: method,
        path: `/prod${url}`,
        protocol: 'HTTP/1.1',
        stage: 'prod',
        domainName: API,
        apiId: 'abc123',
        identity: { sourceIp: '203.0.113.7', userAgent: 'test' },
      },
      body: body === '' ? null : body,
      isBase64Encoded: false,
    }
  },
  'API Gateway 2.0': request => secondFormat(request, API, 'prod'),
  'function URL': request => {
    const event = secondFormat(request, 'abc123.lambda-url.eu-west-1.on.aws', '$default')
    if (request.body === '') return event
    return { ...event, body: Buffer.from(request.body).toString('base64'), isBase64Encoded: true }
  },
  'load balancer': ({ method, url, headers, body }) => ({
    requestContext: {
      elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/mcp/49e9d65c' },
    },
    httpMethod: method,
    path: url,
    queryStringParameters: {},
    headers: { host: 'lb-1.eu-west-1.elb.amazonaws.com', ...FORWARDED, ...headers },
    body,
    isBase64Encoded: false,
  }),
}

function secondFormat({ method, url, headers, body }, domainName, stage) {
  const rawPath = stage === '$default' ? url : `/${stage}${url}`
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: '',
    headers: { host: domainName, ...FORWARDED, ...headers },
    requestContext: {
      accountId: '123456789012',
      apiId: 'abc123',
      domainName,
      http: { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '203.0.113.7', userAgent: 'test' },
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey: '$default',
      stage,
    },
    ...(body === '' ? {} : { body }),
    isBase64Encoded: false,
  }
}

function lists(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}
