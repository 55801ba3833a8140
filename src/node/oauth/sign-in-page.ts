/** What the browser shows after a sign-in. No scripts, nothing loaded from elsewhere. */

export function successPage(): string {
  return page('Signed in', 'anyport has what it needs. You can close this tab.')
}

export function failurePage(reason: string): string {
  return page('Not signed in', reason)
}

/** For whoever comes without the answer that is waited for. */
export function strangerPage(): string {
  return page('Nothing to see here', 'This is not the answer to a sign-in that is under way.')
}

function page(title: string, text: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} - anyport</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { min-height: 90vh; display: grid; place-content: center; margin: 0 1.5rem }
main { max-width: 32rem }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0 0 .5rem }
p { margin: 0; opacity: .8; overflow-wrap: anywhere }
</style>
</head>
<body><main><h1>${escaped(title)}</h1><p>${escaped(text)}</p></main></body>
</html>
`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
