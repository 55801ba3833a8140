// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** Why a server that wants to know who calls does not get to know it. */

import { printable } from '../../exchange/printable.js'
import type { Finding } from './finding.js'
import { answered, common, type RemoteFailure } from './remote-failure.js'
import { fieldOf, placeOf, type Subject } from './subject.js'

export function signInFinding(failure: RemoteFailure): Finding {
  const { facts, subject } = failure
  const { metadata, signed, address } = facts
  const found = { ...failure, status: 401 }
  if (signed === 'header')
    return {
      ...common(found, 'DOCTOR_TOKEN_REFUSED'),
      what: `It refuses the credentials that it is given. ${answered(failure)}`,
      why: 'The token is wrong, has expired, or is meant for another server; a variable may hold less than it should',
      fix: `Put a new token into ${fieldOf(subject, 'headers')}, or the variable that it names`,
    }
  if (metadata?.resource !== undefined)
    return {
      ...common(found, 'DOCTOR_RESOURCE_MISMATCH'),
      what: `It wants a sign-in, and its metadata is about another server: "resource" is ${printable(metadata.resource)}`,
      why: `Clients refuse to fetch a token for another address than the one they call, ${address} (RFC 9728, section 3.3)`,
      fix: `Its operator has to write the public address into "resource" (often the one that a proxy hides); or correct ${fieldOf(subject, 'url')}, where that is the right one`,
    }
  if (metadata !== undefined && !metadata.announced)
    return {
      ...common(found, 'DOCTOR_NO_RESOURCE_METADATA'),
      what: `It wants a sign-in (401), and does not say where: its WWW-Authenticate has no resource_metadata${metadata.found ? '' : ', and there is none at the well-known addresses'}`,
      why: metadata.found
        ? 'Clients that only read the header cannot find out where to sign in; anyport also looks at the well-known address, and has found it there'
        : 'Without it no client can find out where to sign in; it may want a token that you get from its operator',
      fix: metadata.found
        ? `anyport login ${address}; its operator has to add resource_metadata="URL" to WWW-Authenticate for other clients`
        : giveToken(subject),
    }
  if (signed === 'sign-in')
    return {
      ...common(found, 'DOCTOR_TOKEN_REFUSED'),
      what: `It refuses the sign-in that is there. ${answered(failure)}`,
      why: 'The token has expired and cannot be renewed, or was withdrawn',
      fix: `anyport login ${address}`,
    }
  return {
    ...common(found, 'DOCTOR_SIGN_IN'),
    what:
      metadata?.error instanceof Error
        ? `It wants a sign-in: ${metadata.error.message}`
        : 'It wants a sign-in, and there is none',
    why: 'It says where to sign in; a person has to do that once',
    fix: `anyport login ${address}`,
  }
}

function giveToken(subject: Subject): string {
  return placeOf(subject) === undefined
    ? "Give a token: --header 'Authorization: Bearer ${TOKEN}'"
    : `Give a token: "Authorization": "Bearer ${subject.client?.variables.example?.replace('VAR', 'TOKEN') ?? 'TOKEN'}" in ${fieldOf(subject, 'headers')}`
}
