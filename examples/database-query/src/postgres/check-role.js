/** What a role may do that no read-only transaction prevents. */

import { UnsafeRole } from '../errors.js'

/** Members of these reach files, programs and other sessions from within a SELECT. */
const DANGEROUS = [
  'pg_execute_server_program',
  'pg_read_server_files',
  'pg_write_server_files',
  'pg_signal_backend',
  'pg_create_subscription',
]

/** Functions that anybody may call unless somebody forbids it, and what they do to others. */
const WORTH_KNOWING = [
  ['pg_terminate_backend(integer, bigint)', 'end sessions of the same role'],
  ['pg_logical_emit_message(boolean, text, text)', 'write to the log that replicas read'],
]

const QUESTION = `
  SELECT rolsuper AS superuser, rolreplication AS replication,
    ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles AS r
      WHERE r.rolname = ANY ($1) AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')) AS dangerous,
    ARRAY(SELECT f.signature FROM unnest($2::text[]) AS f (signature)
      WHERE pg_catalog.to_regprocedure('pg_catalog.' || f.signature) IS NOT NULL
        AND pg_catalog.has_function_privilege('pg_catalog.' || f.signature, 'EXECUTE')) AS functions,
    EXISTS(SELECT FROM pg_catalog.pg_proc
      WHERE proname = 'dblink' AND pg_catalog.has_function_privilege(oid, 'EXECUTE')) AS dblink
  FROM pg_catalog.pg_roles WHERE rolname = current_user`

/**
 * Gives what an administrator should hear, and throws `UnsafeRole` for a role that read-only transactions would not hold.
 * @param {import('pg').PoolClient} client
 * @param {{ allowSuperuser: boolean }} options
 * @returns {Promise<string[]>}
 */
export async function checkRole(client, { allowSuperuser }) {
  const { rows } = await client.query(QUESTION, [DANGEROUS, WORTH_KNOWING.map(([signature]) => signature)])
  const [role] = rows
  const powers = [
    ...(role.superuser ? ['is a superuser'] : []),
    ...(role.replication ? ['may replicate'] : []),
    ...role.dangerous.map((/** @type {string} */ name) => `is a member of ${name}`),
  ]
  if (powers.length > 0 && !allowSuperuser) throw new UnsafeRole(powers)
  return [
    ...powers.map(power => `the database role ${power}: read-only transactions do not hold it`),
    ...WORTH_KNOWING.filter(([signature]) => role.functions.includes(signature)).map(
      ([signature, effect]) =>
        `the database role may ${effect} (${signature}); README.md says how to prevent it`,
    ),
    ...(role.dblink ? ['the database role may connect elsewhere with dblink'] : []),
  ]
}
