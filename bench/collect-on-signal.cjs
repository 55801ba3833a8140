/**
 * Loaded into a product by NODE_OPTIONS for the memory measure alone: SIGUSR2 collects its garbage, so that what is read
 * afterwards is what its sessions and streams hold, and not what their opening left behind.
 */

const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
process.on('SIGUSR2', () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }))
