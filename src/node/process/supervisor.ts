/**
 * Ends our children when we are killed, which is the one end that we cannot act on ourselves: a shell of its own session
 * that waits at a pipe whose other end only we hold. See decisions/0009-a-shell-outlives-us.md.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'

let supervisor: ChildProcess | undefined
let unavailable = process.platform === 'win32'

/** Tells the supervisor of a new group; starts one where there is none, which is then told of all of `living`. */
export function superviseGroup(leader: number, living: Iterable<number>): void {
  if (supervisor !== undefined) tell(`+ ${leader}\n`)
  else if (!unavailable) start([...living])
}

/** The group is gone: its id may belong to a stranger from now on. */
export function releaseGroup(leader: number): void {
  tell(`- ${leader}\n`)
}

function start(groups: readonly number[]): void {
  const shell = spawn('/bin/sh', ['-c', supervisorScript()], {
    // Its own session, out of reach of what ends ours; it holds no folder, and knows nothing worth hiding.
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  supervisor = shell
  // Where there is no shell, containers as a rule, the end of their first process ends all others.
  shell.on('error', () => {
    unavailable = true
    if (supervisor === shell) supervisor = undefined
  })
  shell.on('exit', () => {
    if (supervisor === shell) supervisor = undefined
  })
  shell.unref()
  const input = shell.stdin as Socket
  input.on('error', () => {})
  input.unref()
  tell(groups.map(group => `+ ${group}\n`).join(''))
}

function tell(text: string): void {
  const input = supervisor?.stdin
  if (input?.writable) input.write(text)
}

/** Ticks of a tenth of a second that a group gets after the end of its stdin, and after SIGTERM. */
const CLOSE_TICKS = 5
const TERM_TICKS = 20

/**
 * Reads `+ GROUP` and `- GROUP`. At the end of its stdin it ends what is left: after a moment SIGTERM, then SIGKILL.
 * A group counts as ours only while its leader, if it lives, began when it was reported: ids are used again.
 * `proc` is the folder that tells when processes began; `ps` does where there is none.
 */
export function supervisorScript(proc = '/proc'): string {
  return `
trap '' HUP INT QUIT TERM
groups=
begun() {
  now=
  if [ -d '${proc}' ]; then
    line=
    { read -r line < '${proc}'/"$1"/stat; } 2>/dev/null
    set -- \${line##*) }
    now=\${20-}
  else
    now=$(ps -o lstart= -p "$1" 2>/dev/null)
  fi
}
forget() {
  rest=
  for other in $groups; do [ "$other" = "$1" ] || rest="$rest $other"; done
  groups=$rest
  unset "begun_$1"
}
sift() {
  for group in $groups; do
    begun "$group"
    eval "was=\\$begun_$group"
    if kill -s 0 -- "-$group" 2>/dev/null && { [ -z "$now" ] || [ "$now" = "$was" ]; }; then
      [ -z "$1" ] || kill -s "$1" -- "-$group" 2>/dev/null
    else
      forget "$group"
    fi
  done
}
await() {
  left=$1
  while sift; [ -n "$groups" ] && [ "$left" -gt 0 ]; do
    sleep 0.1 2>/dev/null || { sleep 1; left=$((left - 9)); }
    left=$((left - 1))
  done
}
while read -r what group; do
  case $what in
    +) begun "$group"; eval "begun_$group=\\$now"; groups="$groups $group" ;;
    -) forget "$group" ;;
  esac
done
await ${CLOSE_TICKS}
sift TERM
await ${TERM_TICKS}
sift KILL
`
}
