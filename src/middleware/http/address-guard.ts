/** Refuses requests by the network address that they come from. */

import { because, errorReply } from '../../exchange/http-reply.js'
import { INVALID_REQUEST } from '../../protocol/errors.js'
import { addressSet } from './address-rules.js'
import type { HttpGuard } from './host-guard.js'

export interface AddressGuardOptions {
  /** Where there are any, only these come in: `ADDRESS`, `ADDRESS/BITS`, `loopback` or `private`. Default: all. */
  readonly allowAddresses?: readonly string[] | undefined
  /** These never come in, whatever is allowed. Default: none. */
  readonly denyAddresses?: readonly string[] | undefined
}

/**
 * An address that is not known (a platform that does not tell) is refused where addresses are allowed by a list. Throws
 * `TypeError` for what is no address.
 */
export function addressGuard({ allowAddresses = [], denyAddresses = [] }: AddressGuardOptions): HttpGuard {
  const allowed = allowAddresses.length === 0 ? undefined : addressSet('allowAddresses', allowAddresses)
  const denied = addressSet('denyAddresses', denyAddresses)
  return request => {
    const { address } = request
    const isDenied = denied(address) || (denyAddresses.length > 0 && address === undefined)
    if (!isDenied && (allowed === undefined || allowed(address))) return undefined
    const refused = errorReply(403, {
      code: INVALID_REQUEST,
      message: `Requests from ${address ?? 'an unknown address'} are not allowed`,
      data: { option: isDenied ? '--deny-address' : '--allow-address' },
    })
    return because(refused, 'address')
  }
}
