/** Names come from callers: a record stays a record, however long they are. */
export function shortened<T extends string | undefined>(name: T, most = 512): T {
  return name !== undefined && name.length > most ? (`${name.slice(0, most)}…` as T) : name
}
