// Shows the book and the last trades of one symbol, asked for again and again; nothing else is loaded.
"use strict";

const LEVELS = 12, DEPTH = 1000, TRADES = 20, PAUSE_MS = 500, WAIT_MS = 5000;
const { symbol, priceDecimals, qtyDecimals } = document.querySelector("main").dataset;
const element = (id) => document.getElementById(id);
const grouped = (decimals) => {
  const format = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return (number) => format.format(number);
};
const price = grouped(Number(priceDecimals)), mid = grouped(Number(priceDecimals) + 1), qty = grouped(Number(qtyDecimals));

function row(...cells) {
  const line = document.createElement("tr");
  for (const cell of cells) line.insertCell().append(cell);
  return line;
}

function bar(part) {
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const filled = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  filled.setAttribute("width", `${Math.max(1, 100 * part)}%`);
  filled.setAttribute("height", "100%");
  picture.setAttribute("aria-hidden", "true");
  picture.append(filled);
  return picture;
}

function ownMark() {
  const mark = document.createElement("span");
  mark.className = "own";
  mark.title = "an order of this desk's account";
  mark.textContent = "● ";
  return mark;
}

function showBook(book) {
  const sum = (level) => level.orders.reduce((total, order) => total + order.quantity, 0);
  const isOwn = (level) => level.orders.some((order) => order.own);
  const [bids, asks] = [book.bids, book.asks].map((levels) => levels.filter((level, at) => at < LEVELS || isOwn(level)));
  const largest = Math.max(...bids.map(sum), ...asks.map(sum), 0);
  const line = (level, at) => {
    const shown = row(price(level.price), qty(sum(level)), String(level.orders.length), bar(sum(level) / largest));
    shown.lastChild.className = "wide";
    if (isOwn(level)) shown.cells[1].prepend(ownMark());
    if (at >= LEVELS) shown.className = "far";
    return shown;
  };
  element("asks").replaceChildren(...asks.map(line).reverse());
  element("bids").replaceChildren(...bids.map(line));
  const [bid, ask] = [bids[0], asks[0]];
  const text = bid && ask ? `spread ${price(ask.price - bid.price)}` : "one side is empty";
  const middle = row(bid && ask ? mid((ask.price + bid.price) / 2) : "-", text);
  middle.lastChild.colSpan = 3;
  element("middle").replaceChildren(middle);
}

function showTrades(trades) {
  const line = (trade) => {
    const time = new Date(trade.timestamp).toISOString().slice(11, 23);
    const shown = row(time, price(trade.price), qty(trade.quantity));
    shown.className = trade.taker_side;
    return shown;
  };
  element("trades").replaceChildren(...trades.map(line).reverse());
}

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(WAIT_MS) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function tell(text, isBad) {
  element("state").textContent = text;
  element("state").className = isBad ? "bad" : "";
  document.querySelector("#book").style.opacity = isBad ? 0.4 : 1;
}

async function follow() {
  try {
    const query = `symbol=${encodeURIComponent(symbol)}`;
    const [book, trades] = await Promise.all([
      ask(`/api/orderbook?${query}&depth=${DEPTH}`),
      ask(`/api/trades?${query}&limit=${TRADES}`),
    ]);
    showBook(book);
    showTrades(trades.trades);
    tell(`as of ${new Date(book.timestamp).toISOString().slice(11, 23)} UTC, sequence ${book.sequence.toLocaleString("en-US")}`, false);
  } catch (error) {
    tell(error instanceof TypeError || error.name === "TimeoutError" ? "the api does not answer: is the desk up?" : error.message, true);
  }
  setTimeout(follow, PAUSE_MS);
}

follow();
