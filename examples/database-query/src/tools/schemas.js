/** What several tools take. */

import { z } from 'zod'

export const sqlSchema = z.string().min(1).max(100_000).describe('One SQL statement')

export const parametersSchema = z
  .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .max(1_000)
  .default([])
  .describe('Values for $1, $2 and so on')

/** PostgreSQL knows longer names only shortened. */
export const nameSchema = z.string().min(1).max(63)
