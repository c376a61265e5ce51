// The book as a ladder, our orders in it, our fills, and everybody's trades.
import { age, clockMs, decimals, moment } from "./numbers.js";
import { drawRows, drawTerms, element, setText } from "./rows.js";
import { distance } from "./strip.js";

const TRADES = 60, FILLS = 60, ORDERS = 12, FAR = 4, LEVELS = 12, WORDS = [["▲ buy", "buy"], ["▼ sell", "sell"]];

// Our prices of a side that are farther away than the levels that are told, best first: [price, our lots].
function far(line, side, levels) {
  const mine = new Map();
  for (const [of, ticks, lots] of line.values.quotes?.own ?? []) {
    if (of === side && !levels.some(([shown]) => shown === ticks)) mine.set(ticks, (mine.get(ticks) ?? 0) + lots);
  }
  const last = levels.at(-1)?.[0];
  return [...mine].filter(([ticks]) => last === undefined || (side ? ticks > last : ticks < last)).slice(0, FAR);
}

export function drawLadder(line, price, qty, half) {
  const [bids, asks] = [line.levels(0).slice(0, LEVELS), line.levels(1).slice(0, LEVELS)];
  const most = Math.max(1, ...bids.map((row) => row[1]), ...asks.map((row) => row[1]));
  const row = ([ticks, lots, orders, own]) => ({
    cells: [own ? `◆ ${qty(own)}` : "", qty(lots), price(ticks), String(orders)],
    kind: own ? "mine" : "",
    bar: lots / most,
  });
  const farRow = ([ticks, own]) => ({ cells: [`◆ ${qty(own)}`, "", price(ticks), ""], kind: "mine far" });
  const rows = [bids, asks].map((levels, side) => [...levels.map(row), ...far(line, side, levels).map(farRow)]);
  drawRows(element("asks"), rows[1].reverse());
  drawRows(element("bids"), rows[0]);
  const twice = line.values.quotes?.mid_x2;
  const spread = bids[0] && asks[0] ? price(asks[0][0] - bids[0][0]) : "";
  const mid = twice ? half(twice) : "no mid";
  ["", spread && `spread ${spread}`, mid, ""].forEach((text, at) => setText(element("middle").rows[0].cells[at], text));
  setText(element("ladder-empty"), line.heard ? "the book is empty" : "the book has not come yet");
  element("ladder-empty").hidden = bids.length + asks.length > 0;
  element("middle").hidden = bids.length + asks.length === 0;
}

export function drawOrders(line, price, qty) {
  const quotes = line.values.quotes;
  const away = ([side, ticks]) => Math.abs(distance(line, side, ticks) ?? 0);
  const nearest = [...(quotes?.own ?? [])].sort((a, b) => away(a) - away(b)).slice(0, ORDERS);
  const rows = nearest.sort((a, b) => a[0] - b[0]).map(([side, ticks, lots, ahead, before, since]) => {
    const queue = before ? `${qty(ahead)} in ${before}` : "first";
    const bps = distance(line, side, ticks);
    const cells = [WORDS[side][0], price(ticks), qty(lots), queue, bps === null ? "–" : decimals(bps, 1), age(line.now - since)];
    return { cells, kind: WORDS[side][1] };
  });
  drawRows(element("orders").querySelector("tbody"), rows);
  setText(element("orders-count"), quotes && quotes.count > rows.length ? `the nearest ${rows.length} of ${quotes.count}` : "");
}

export function drawWhy(line) {
  const told = line.values.quoting;
  const last = line.values.money?.maker?.last_decision;
  const isHere = told?.symbol === line.hello.symbol;
  const terms = (isHere ? told.sides : []).map((side) => [
    side.side === "BUY" ? "bid" : "ask", `${side.rule}: ${side.why}`, side.price === null ? "idle" : "",
  ]);
  if (isHere && last) {
    const side = { BUY: " bid", SELL: " ask" }[last.side] ?? "";
    terms.push(["last decision", `${moment(Date.parse(last.time), line.now)} ${last.action}${side}, ${last.rule}: ${last.why}`]);
  }
  drawTerms(element("why"), terms);
}

export function drawFills(line) {
  const places = [line.hello.tick[1], line.hello.lot[1]];
  const fills = [...line.fills.values()].slice(-FILLS).reverse();
  const rows = fills.map((fill) => ({
    cells: [moment(fill.time_ms, line.now), WORDS[fill.side === "BUY" ? 0 : 1][0] + (fill.is_picked_off ? ", picked off" : ""), decimals(fill.price, places[0]), decimals(fill.qty, places[1])],
    kind: WORDS[fill.side === "BUY" ? 0 : 1][1],
  }));
  drawRows(element("fills").querySelector("tbody"), rows);
  setText(element("fills-count"), line.fills.size > FILLS ? `the last ${FILLS}` : "");
}

export function drawTape(line, price, qty) {
  const rows = line.trades.slice(-TRADES).reverse().map(([, ticks, lots, side, time]) => ({
    cells: [clockMs(time), WORDS[side][0], price(ticks), qty(lots)],
    kind: WORDS[side][1],
  }));
  drawRows(element("tape").querySelector("tbody"), rows);
}
