// The page: one line to the api, one drawing of what has changed for each frame that the screen shows.
import { Charts } from "./charts.js";
import { Commands } from "./commands.js";
import { drawMoney, drawMoneyAge, drawNodes, drawRisk, drawSources } from "./desk.js";
import { drawEvents, Logs } from "./events.js";
import { Line } from "./line.js";
import { drawFills, drawLadder, drawOrders, drawTape, drawWhy } from "./market.js";
import { clock, halfText, stepText } from "./numbers.js";
import { Past } from "./past.js";
import { drawLatencies, drawMarkouts } from "./quality.js";
import { element, setText } from "./rows.js";
import { drawStrip } from "./strip.js";

const LOOK_MS = 250;
const { symbol, missing } = document.querySelector("main").dataset;
const changed = new Set();
let price, qty, half, past, day, isAwaited = false;

const charts = new Charts(missing);
const commands = new Commands(symbol);
const logs = new Logs();
const line = new Line(symbol, (names) => {
  names.forEach((name) => changed.add(name));
  if (!isAwaited) {
    isAwaited = true;
    requestAnimationFrame(draw);
  }
});

const PARTS = [
  [["book", "quotes"], () => drawLadder(line, price, qty, half)],
  [["quotes"], () => drawOrders(line, price, qty)],
  [["quoting", "money"], () => drawWhy(line)],
  [["fills"], () => drawFills(line)],
  [["trades"], () => drawTape(line, price, qty)],
  [["money"], () => drawMoney(line)],
  [["risk"], () => drawRisk(line)],
  [["nodes"], () => drawNodes(line)],
  [["sources", "troubles"], () => drawSources(line)],
  [["markouts"], () => drawMarkouts(line)],
  [["latencies"], () => drawLatencies(line)],
  [["alerts"], () => drawEvents(line)],
  [["command"], () => commands.draw(line.values.command, line.now)],
];

function draw() {
  isAwaited = false;
  if (!line.hello) return;
  if (changed.has("hello")) {
    price = stepText(line.hello.tick);
    qty = stepText(line.hello.lot);
    half = halfText(line.hello.tick);
    PARTS.forEach(([names]) => names.forEach((name) => changed.add(name)));
    past ??= new Past(symbol, line, missing);
  }
  for (const [names, part] of PARTS) if (names.some((name) => changed.has(name))) part();
  charts.draw(line, changed);
  changed.clear();
  look();
}

// What passes by itself: the state of the line, ages, the time of day.
function look() {
  const [state, text] = line.state;
  if (document.body.dataset.state !== state) document.body.dataset.state = state;
  setText(element("state"), past?.wanted == null ? text : `THE PAST IS SHOWN · now: ${text}`);
  if (!price) return; // nothing was drawn yet
  drawStrip(line, price, half);
  drawMoneyAge(line);
  setText(element("clock").firstChild, line.heard ? clock(line.now) : "");
  const date = new Date(line.now).toISOString().slice(0, 10);
  if (day !== (day = date)) [drawEvents, drawFills, drawWhy].forEach((draw) => draw(line)); // what is of today
}

setInterval(() => {
  look();
  if (price && line.values.quotes?.own.length) drawOrders(line, price, qty);
}, LOOK_MS);

// --- keys ---

const theme = document.documentElement;
function otherColours() {
  const isDark = theme.dataset.theme ? theme.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  theme.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("theme", theme.dataset.theme);
  recolour();
}
function recolour() {
  charts.recolour();
  past?.charts.recolour();
}
if (localStorage.getItem("theme")) theme.dataset.theme = localStorage.getItem("theme");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
const words = element("words");
element("theme").addEventListener("click", otherColours);
element("help").addEventListener("click", () => words.showModal());
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog[open]")) return;
  const give = { h: "halt", r: "resume", f: "flatten" }[event.key];
  const action = give ? () => commands.ask(give) : { t: otherColours, l: () => logs.open(), p: () => past?.focus(), b: () => past?.leave(), "?": () => words.showModal() }[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});
charts.recolour();
