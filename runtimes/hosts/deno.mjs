/** `deno run deno.mjs MODULE`: serves the module's `export default { fetch }`. Says where it listens. */
const { default: app } = await import(new URL(Deno.args[0], 'file:///').href)
Deno.serve(
  {
    hostname: '127.0.0.1',
    port: 0,
    onListen: ({ port }) => console.error(`listening on http://127.0.0.1:${port}`),
  },
  request => app.fetch(request),
)
