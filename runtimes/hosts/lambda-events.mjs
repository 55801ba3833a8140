/**
 * Events as AWS sends them, whole: API Gateway's formats 1.0 and 2.0, function URLs, load balancers with and without lists of headers.
 * Source: the developer guides of AWS Lambda ("Invoking with an API Gateway endpoint", "function URLs"), API Gateway ("proxy
 * integration") and of Elastic Load Balancing ("Lambda functions as targets").
 */

const DOMAIN = 'abc123.execute-api.eu-west-1.amazonaws.com'
const AGENT = 'everybody/1.0'
const now = () => new Date()

/** As typed by people, which is what REST APIs pass on: `Content-Type`. */
const typed = headers =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.replace(/(^|-)[a-z]/g, part => part.toUpperCase()),
      value,
    ]),
  )
const listed = headers => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
const forwarded = headers => ({
  ...headers,
  'x-amzn-trace-id': 'Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e',
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-port': '443',
  'x-forwarded-proto': 'https',
})

/** `event` makes one of a request of `node:http` and its body. */
export const eventsOf = {
  'API Gateway 1.0': {
    event: (request, body) => restEvent(request, body, '/mcp'),
  },
  'API Gateway 1.0, with a base path': {
    basePath: '/tools',
    event: (request, body) => restEvent(request, body, '/tools/mcp'),
  },
  'API Gateway 2.0': { event: (request, body) => httpEvent(request, body, '/mcp', '$default', DOMAIN) },
  'API Gateway 2.0, with a stage': {
    event: (request, body) => httpEvent(request, body, '/prod/mcp', 'prod', DOMAIN),
  },
  'function URL': {
    event: (request, body) => {
      const domain = 'abc123.lambda-url.eu-west-1.on.aws'
      const event = httpEvent(request, body, '/mcp', '$default', domain)
      // They encode whatever has a type that they do not know as text.
      return {
        ...event,
        ...(body === '' ? {} : { body: Buffer.from(body).toString('base64') }),
        isBase64Encoded: body !== '',
      }
    },
  },
  'load balancer': {
    event: (request, body) => ({
      ...balanced(request, body),
      headers: forwarded({ ...request.headers, host: 'lb-1.eu-west-1.elb.amazonaws.com' }),
      queryStringParameters: {},
    }),
  },
  'load balancer, lists of headers': {
    event: (request, body) => ({
      ...balanced(request, body),
      multiValueHeaders: listed(forwarded({ ...request.headers, host: 'lb-1.eu-west-1.elb.amazonaws.com' })),
      multiValueQueryStringParameters: {},
    }),
  },
}

function restEvent({ method, headers }, body, path) {
  const sent = typed(forwarded({ ...headers, host: DOMAIN }))
  return {
    resource: '/{proxy+}',
    path,
    httpMethod: method,
    headers: sent,
    multiValueHeaders: listed(sent),
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: {
      resourceId: 'x1y2z3',
      resourcePath: '/{proxy+}',
      httpMethod: method,
      extendedRequestId: 'JJbxmplHYosFVYQ=',
      requestTime: now().toUTCString(),
      path: `/prod${path}`,
      accountId: '123456789012',
      protocol: 'HTTP/1.1',
      stage: 'prod',
      domainPrefix: 'abc123',
      requestTimeEpoch: now().getTime(),
      requestId: crypto.randomUUID(),
      identity: { sourceIp: '203.0.113.7', userAgent: AGENT, accessKey: null, user: null, userArn: null },
      domainName: DOMAIN,
      apiId: 'abc123',
    },
    body: body === '' ? null : body,
    isBase64Encoded: false,
  }
}

function httpEvent({ method, headers }, body, path, stage, domain) {
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: forwarded({ ...headers, host: domain }),
    requestContext: {
      accountId: '123456789012',
      apiId: 'abc123',
      domainName: domain,
      domainPrefix: 'abc123',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '203.0.113.7', userAgent: AGENT },
      requestId: crypto.randomUUID(),
      routeKey: '$default',
      stage,
      time: now().toUTCString(),
      timeEpoch: now().getTime(),
    },
    ...(body === '' ? {} : { body }),
    isBase64Encoded: false,
  }
}

function balanced({ method }, body) {
  return {
    requestContext: {
      elb: {
        targetGroupArn:
          'arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/mcp/49e9d65c45c6791a',
      },
    },
    httpMethod: method,
    path: '/mcp',
    body,
    isBase64Encoded: false,
  }
}
