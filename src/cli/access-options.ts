/** Who may come in over HTTP, as the command line says it. */

import { parseDuration } from '../config/units.js'
import { flag, list, type OptionSpecs, oneOf, text, value } from './arguments.js'

const group = 'Who may come in'

export const ACCESS_OPTIONS = {
  keys: value('Ask for an API key of this file (anyport keys); default for the usual one', text, {
    metavar: 'FILE',
    group,
  }),
  'auth-issuer': value('Ask for a token of this authorization server', text, { metavar: 'URL', group }),
  'auth-audience': list(
    'Whom tokens must be for; /* at the end for all below (repeatable; default --public-url and what is served there)',
    text,
    { metavar: 'AUDIENCE', group },
  ),
  'auth-scope': list('Scope that everybody needs (repeatable)', text, { metavar: 'SCOPE', group }),
  'auth-jwks': value("Where its keys are (default what the issuer's metadata says)", text, {
    metavar: 'URL',
    group,
  }),
  'auth-algorithm': list(
    'Signature accepted (repeatable; default RS, PS and ES with 256 to 512, EdDSA)',
    text,
    {
      metavar: 'NAME',
      group,
    },
  ),
  'auth-clock-skew': value('How far the clocks may differ', parseDuration, {
    metavar: 'TIME',
    default: '30s',
    group,
  }),
  'auth-introspection': value('Ask it here about tokens that it has not signed', text, {
    metavar: 'URL',
    group,
  }),
  'auth-client-id': value('As whom it is asked', text, { metavar: 'ID', group }),
  'auth-client-secret': value(
    'The secret of that client; better given as ANYPORT_AUTH_CLIENT_SECRET, since others can see command lines',
    text,
    { metavar: 'SECRET', group },
  ),
  tls: value('Serve HTTPS with a certificate made now, for development: self-signed', oneOf('self-signed'), {
    metavar: 'KIND',
    group,
  }),
  'tls-cert': value('Serve HTTPS with this certificate; followed when the file changes', text, {
    metavar: 'FILE',
    group,
  }),
  'tls-key': value('Its private key', text, { metavar: 'FILE', group }),
  'tls-client-ca': value('Ask for a client certificate of these authorities', text, {
    metavar: 'FILE',
    group,
  }),
  cors: list(
    'Origin of web pages that may call, as --allow-origin, and whose browsers are told so; * for the first label or the port (repeatable)',
    text,
    {
      metavar: 'ORIGIN',
      group,
    },
  ),
  'allow-origin': list('Origin of web pages that may call, besides local ones (repeatable)', text, {
    metavar: 'ORIGIN',
    group,
  }),
  'allow-host': list('Name under which we may be called, besides local ones (repeatable)', text, {
    metavar: 'NAME',
    group,
  }),
  'allow-address': list(
    'Only requests from here: ADDRESS, ADDRESS/BITS, loopback or private (repeatable)',
    text,
    {
      metavar: 'ADDRESS',
      group,
    },
  ),
  'deny-address': list('No requests from here, whatever is allowed (repeatable)', text, {
    metavar: 'ADDRESS',
    group,
  }),
  'trust-proxy': list(
    "Reverse proxy whose word for its client's address, scheme and host is taken (repeatable)",
    text,
    {
      metavar: 'ADDRESS',
      group,
    },
  ),
  'proxy-headers': value(
    'What it says that with: x-forwarded or forwarded',
    oneOf('x-forwarded', 'forwarded'),
    {
      metavar: 'KIND',
      default: 'x-forwarded',
      group,
    },
  ),
  'allow-unauthenticated': flag('Listen for other machines although nobody authenticates', { group }),
} as const satisfies OptionSpecs
