/** What is there before the script runs. It makes all the rest, of texts. */
export const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>anyport dashboard</title>
<link rel="icon" href="dashboard/icon.svg">
<link rel="stylesheet" href="dashboard/app.css">
<script src="dashboard/app.js" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
  <div class="brand"><img src="dashboard/icon.svg" alt="" width="28" height="28"><div><strong>anyport</strong> <span id="version" class="quiet"></span><div id="serving" class="quiet clip"></div></div></div>
  <div class="top-end"><span id="connection" class="state" role="status">Connecting</span><button type="button" id="key-button" class="ghost">Key</button></div>
</header>
<div class="tabs" role="tablist" aria-label="Views">
  <button type="button" role="tab" id="tab-overview" aria-controls="overview">Overview</button>
  <button type="button" role="tab" id="tab-messages" aria-controls="messages">Messages</button>
  <button type="button" role="tab" id="tab-try" aria-controls="try">Try a tool</button>
</div>
<noscript><p class="notice">This page needs its script.</p></noscript>
<main id="content" tabindex="-1">
  <p id="notice" class="notice" role="alert" hidden></p>
  <section id="overview" role="tabpanel" aria-labelledby="tab-overview">
    <div id="cards" class="cards"></div>
    <h2>Servers</h2>
    <div id="servers"></div>
    <h2>Under way <span id="open-count" class="count"></span></h2>
    <div id="open-calls"></div>
    <h2>Clients</h2>
    <div id="clients"></div>
    <h2>Refused at the door <span id="refused-count" class="count"></span></h2>
    <p id="refusals" class="quiet"></p>
  </section>
  <section id="messages" role="tabpanel" aria-labelledby="tab-messages" hidden></section>
  <section id="try" role="tabpanel" aria-labelledby="tab-try" hidden></section>
</main>
<dialog id="key-dialog" aria-labelledby="key-title">
  <form method="dialog" id="key-form">
    <h2 id="key-title">Who are you?</h2>
    <p id="key-why" class="quiet">This server asks for a key. It stays in this page, until you close or reload it.</p>
    <label for="key">API key or token</label>
    <input id="key" type="password" autocomplete="off" spellcheck="false" required>
    <div class="buttons"><button type="button" id="key-cancel" class="ghost">Cancel</button><button type="submit" class="main">Use it</button></div>
  </form>
</dialog>
<dialog id="details" class="sheet" aria-labelledby="details-title">
  <div class="sheet-head"><h2 id="details-title"></h2><button type="button" id="details-close" class="ghost" aria-label="Close">Close</button></div>
  <div id="details-body"></div>
</dialog>
</body>
</html>
`
