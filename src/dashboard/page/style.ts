export const STYLE = `:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #fff; --line: #e2e5ea; --text: #1a1f27; --quiet: #5d6673; --main: #2359c9; --main-ground: #e9f0ff;
  --good: #14733c; --good-ground: #e2f5e9; --bad: #b3261e; --bad-ground: #fdeceb; --warn: #8a5300; --warn-ground: #fdf1dc;
  --code: #f0f2f5; --radius: 10px;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1216; --card: #171b21; --line: #2a303a; --text: #e6e9ee; --quiet: #98a2b0; --main: #8ab0ff; --main-ground: #1c2a47;
    --good: #6fd39a; --good-ground: #12301f; --bad: #ff9d94; --bad-ground: #3a1917; --warn: #f0bf6b; --warn-ground: #35270f;
    --code: #10141a;
  }
}
* { box-sizing: border-box }
[hidden] { display: none !important }
body { margin: 0; background: var(--ground); color: var(--text) }
h2 { font-size: 1rem; margin: 1.75rem 0 .6rem }
h3 { font-size: .95rem; margin: 1.25rem 0 .4rem }
p { margin: .4rem 0 }
main { max-width: 80rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; outline: none }
.quiet { color: var(--quiet) }
.small { font-size: .85rem }
.clip { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.mono, pre, code, textarea { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .85rem }
.count { color: var(--quiet); font-weight: 400 }
.skip { position: absolute; left: -99rem }
.skip:focus { left: 1rem; top: .5rem; z-index: 2; background: var(--card); padding: .4rem .8rem }
.top { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: .8rem 1.25rem; background: var(--card); border-bottom: 1px solid var(--line) }
.brand { display: flex; align-items: center; gap: .7rem; min-width: 0; line-height: 1.3 }
.brand > div { min-width: 0 }
.brand img { flex: none }
.top-end { display: flex; align-items: center; gap: .6rem; flex: none }
.tabs { display: flex; gap: .25rem; padding: 0 1rem; background: var(--card); border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1; overflow-x: auto }
.tabs button { border: 0; background: none; color: var(--quiet); font: inherit; padding: .7rem .8rem; border-bottom: 2px solid transparent; cursor: pointer; white-space: nowrap; border-radius: 0 }
.tabs button[aria-selected=true] { color: var(--text); border-color: var(--main); font-weight: 600 }
:focus-visible { outline: 2px solid var(--main); outline-offset: 2px }
.tabs button:focus-visible { outline-offset: -3px }
button { font: inherit; border-radius: 8px; border: 1px solid var(--line); background: var(--card); color: var(--text); padding: .4rem .85rem; cursor: pointer }
button:hover:not(:disabled) { border-color: var(--main) }
button:disabled { opacity: .55; cursor: default }
button.main { background: var(--main); border-color: var(--main); color: var(--card); font-weight: 600 }
button.ghost { background: none }
button.link { border: 0; background: none; padding: 0; color: var(--main); text-align: left; font-weight: 600; overflow-wrap: anywhere; border-radius: 3px }
button.link:hover { text-decoration: underline }
.notice { background: var(--warn-ground); color: var(--warn); border-radius: var(--radius); padding: .7rem 1rem; overflow-wrap: anywhere }
.state, .pill { display: inline-block; border-radius: 99px; padding: .1rem .6rem; font-size: .8rem; font-weight: 600; white-space: nowrap; background: var(--code); color: var(--quiet) }
.good { background: var(--good-ground); color: var(--good) }
.bad { background: var(--bad-ground); color: var(--bad) }
.warn { background: var(--warn-ground); color: var(--warn) }
.busy { background: var(--main-ground); color: var(--main) }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); padding: .75rem 1rem; min-width: 0 }
.card b { display: block; font-size: 1.45rem; line-height: 1.3; font-variant-numeric: tabular-nums; white-space: nowrap }
.card svg { display: block; width: 100%; height: 1.6rem; margin-top: .3rem }
.spark { fill: none; stroke: var(--main); stroke-width: 1.5; vector-effect: non-scaling-stroke }
.box { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .5rem .75rem; vertical-align: top; border-bottom: 1px solid var(--line) }
tr:last-child td { border-bottom: 0 }
th { font-size: .78rem; color: var(--quiet); font-weight: 600; white-space: nowrap }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.error { color: var(--bad); font-size: .85rem; overflow-wrap: anywhere; min-width: 12rem; max-width: 26rem }
.break { overflow-wrap: anywhere }
td.break { min-width: 7rem }
td.name { min-width: 9rem; overflow-wrap: anywhere }
.empty { padding: 1rem; color: var(--quiet) }
.bar { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: .25rem 0 .9rem }
.bar > label, .field > label { display: grid; gap: .2rem; font-size: .82rem; color: var(--quiet) }
.bar input, .bar select, .bar button { height: 2.5rem; font-size: .92rem }
.bar input, .bar select { color: var(--text) }
.bar .grow { flex: 1; min-width: 10rem }
input, select, textarea { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .42rem .6rem; width: 100%; min-width: 0 }
input[type=checkbox] { width: 1.1rem; height: 1.1rem; margin: 0 }
textarea { min-height: 5.5rem; resize: vertical; font-size: .85rem }
textarea.one-line { min-height: 2.4rem; field-sizing: content }
pre { background: var(--code); border-radius: 8px; padding: .7rem .8rem; margin: .5rem 0; overflow: auto; max-height: 26rem; white-space: pre-wrap; overflow-wrap: anywhere }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 }
dl.facts dt { color: var(--quiet) }
dl.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
dialog { border: 1px solid var(--line); border-radius: 14px; background: var(--card); color: var(--text); padding: 1.25rem; width: min(26rem, calc(100vw - 2rem)) }
dialog::backdrop { background: #0006 }
dialog h2 { margin-top: 0 }
dialog label { display: block; font-size: .85rem; color: var(--quiet); margin: .8rem 0 .2rem }
dialog.sheet { margin: 0 0 0 auto; height: 100dvh; max-height: none; width: min(34rem, 100vw); border-radius: 0; border-width: 0 0 0 1px; overflow-y: auto }
.sheet-head { display: flex; justify-content: space-between; align-items: start; gap: 1rem }
.sheet-head h2 { overflow-wrap: anywhere }
.buttons { display: flex; gap: .6rem; justify-content: flex-end; flex-wrap: wrap; margin-top: 1rem }
.buttons.start { justify-content: flex-start }
.split { display: grid; grid-template-columns: minmax(14rem, 20rem) minmax(0, 1fr); gap: 1.25rem; align-items: start }
.tools { list-style: none; margin: 0; padding: .35rem; max-height: 70vh; overflow-y: auto }
.tools button { display: block; width: 100%; text-align: left; border: 0; background: none; padding: .45rem .6rem; overflow-wrap: anywhere }
.tools button[aria-current=true] { background: var(--main-ground) }
.tools small { display: block; color: var(--quiet); overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.panel { padding: 1rem 1.15rem; min-width: 0 }
.panel h2 { margin-top: 0; overflow-wrap: anywhere }
.field { margin: .85rem 0; border: 0; padding: 0; min-width: 0 }
.field > label, .field > legend { color: var(--text); font-size: .9rem; font-weight: 600; padding: 0; display: block; margin-bottom: .2rem }
.field .row { display: flex; gap: .5rem; align-items: center; margin: .15rem 0; font-size: .9rem }
.field .row label { overflow-wrap: anywhere }
.required::after { content: " *"; color: var(--bad) }
.hint { font-size: .82rem; color: var(--quiet); overflow-wrap: anywhere; white-space: pre-line }
.wrong { color: var(--bad); font-size: .85rem }
.question { border-left: 3px solid var(--main); padding: .1rem 0 .1rem 1rem; margin: 1rem 0 }
progress { width: 100% }
.picture { max-width: 100%; max-height: 24rem; border-radius: 8px }
@media (max-width: 720px) {
  .split { grid-template-columns: minmax(0, 1fr) }
  .tools { max-height: 16rem }
  main { padding: .75rem .75rem 3rem }
  .top { padding: .7rem .75rem }
  .tabs { padding: 0 .25rem }
  .cards { grid-template-columns: repeat(2, 1fr) }
  .rows { border: 0; background: none; overflow: visible }
  table, tbody { display: block }
  thead { position: absolute; left: -99rem }
  tr { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .35rem .75rem; background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); padding: .7rem .85rem; margin-bottom: .6rem }
  td, td.number, td.error, td.name, td.break { display: block; border: 0; padding: 0; text-align: left; min-width: 0; max-width: none; overflow-wrap: anywhere; white-space: normal }
  td[data-label]::before { content: attr(data-label); display: block; font-size: .72rem; color: var(--quiet); font-weight: 400 }
  td.wide { grid-column: 1 / -1 }
  td:empty { display: none }
  .rows > .empty { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius) }
}
@media (prefers-reduced-motion: no-preference) {
  tr.fresh { animation: fresh 1.2s ease-out }
  @keyframes fresh { from { background: var(--main-ground) } }
}
`
