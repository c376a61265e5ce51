// A moment of the past in place of what is: by the address, #at=TIME, so that the browser's way back is the way back.
import { clock, clockMs, decimals, exact } from "./numbers.js";
import { PastCharts } from "./past_charts.js";
import { drawRows, drawTerms, element, setText } from "./rows.js";

const FILLS = 60, ASK_MS = 1000, STEP_MS = 10_000, WORDS = { BUY: ["▲ buy", "buy"], SELL: ["▼ sell", "sell"] };

export class Past {
  constructor(symbol, line, missing) {
    this.symbol = symbol;
    this.line = line;
    this.charts = new PastCharts(missing);
    this.wanted = null; // the time that is asked for, as text; null: the present
    this.told = null;
    this.why = ""; // the present is shown again: no moment of the past could be
    element("past-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = element("past-time").value.trim();
      if (text) this.go(text);
    });
    element("past-back").addEventListener("click", () => this.leave());
    element("past-earlier").addEventListener("click", () => this.step(-STEP_MS));
    element("past-later").addEventListener("click", () => this.step(STEP_MS));
    addEventListener("hashchange", () => this.follow());
    this.follow();
  }

  focus() {
    element("past-time").focus();
    element("past-time").select();
  }

  go(text) {
    const hash = `#at=${encodeURIComponent(text)}`;
    if (location.hash === hash) this.follow();
    else location.hash = hash;
  }

  leave() {
    if (this.wanted !== null) location.hash = "#live";
  }

  step(ms) {
    if (this.told) this.go(new Date(Date.parse(this.told.time) + ms).toISOString());
  }

  follow() {
    const found = /^#at=(.+)$/.exec(location.hash);
    let text = null;
    try {
      text = found && decodeURIComponent(found[1]);
    } catch {
      text = found[1]; // no address of ours: the api says what is wrong with it
    }
    clearTimeout(this.next);
    this.wanted = text;
    setText(element("past-error"), this.why);
    this.why = "";
    if (text === null) {
      this.told = null;
      this.show(false);
    } else {
      element("past-time").value = text;
      this.ask(text);
    }
  }

  async ask(text) {
    let why = "";
    try {
      const response = await fetch(`/api/at?symbol=${encodeURIComponent(this.symbol)}&time=${encodeURIComponent(text)}`);
      const answer = await response.json();
      if (text !== this.wanted) return; // another one is wanted by now
      if (response.status === 202 || response.status === 503) {
        setText(element("past-banner"), response.ok ? `THE PAST, soon: ${answer.making} ...` : answer.error);
        if (!this.told) this.show(true);
        this.next = setTimeout(() => this.ask(text), ASK_MS);
        return;
      }
      if (response.ok) {
        this.told = answer;
        this.draw();
        this.show(true);
        this.charts.show(answer, this.line.hello); // drawn where it can be seen: it has a size only then
        return;
      }
      why = answer.error;
    } catch (error) {
      why = error instanceof TypeError ? "the api does not answer" : error.message;
    }
    if (text !== this.wanted) return;
    if (this.told) {
      this.draw(); // what stands stays, and is called what it is
      setText(element("past-error"), why);
    } else {
      this.why = why;
      this.leave();
    }
  }

  show(isPast) {
    if (isPast) document.body.dataset.past = "";
    else delete document.body.dataset.past;
    element("moment").hidden = !isPast;
    element("moment-shown").hidden = !this.told;
    element("past-earlier").disabled = element("past-later").disabled = !this.told;
    if (isPast) element("past-back").focus();
  }

  draw() {
    const told = this.told, hello = this.line.hello;
    const [price, qty] = [hello.tick[1], hello.lot[1]].map((places) => (value) => decimals(value, places));
    setText(element("past-banner"), `THE PAST: ${told.time.slice(0, 10)} ${clockMs(Date.parse(told.time))} UTC. Nothing below is of now.`);
    const record = told.record_time === null ? "before anything happened" : `record ${decimals(told.record, 0)} of ${told.record_time.slice(11, 23)}${told.is_last ? "; nothing has happened since" : ""}`;
    drawTerms(element("moment-facts"), [
      ["position since the day began", told.position === null ? "not known" : `${exact(told.position, true)} ${hello.base}`],
      ["mid of the others", told.others_mid === null ? "a side had none" : exact(told.others_mid)],
      ["after", record],
    ]);
    const ours = new Map();
    for (const order of told.orders) ours.set(order.price, (ours.get(order.price) ?? 0) + order.qty);
    const most = Math.max(0, ...told.book.bids.map((row) => row[1]), ...told.book.asks.map((row) => row[1]));
    const level = ([at, size]) => ({ cells: [ours.has(at) ? `◆ ${qty(ours.get(at))}` : "", qty(size), price(at)], kind: ours.has(at) ? "mine" : "", bar: size / most });
    drawRows(element("moment-asks"), told.book.asks.map(level).reverse());
    drawRows(element("moment-bids"), told.book.bids.map(level));
    drawRows(element("moment-orders"), told.orders.map((order) => ({
      cells: [WORDS[order.side][0], price(order.price), qty(order.qty), order.orders_ahead ? `${qty(order.ahead)} in ${order.orders_ahead}` : "first"],
      kind: WORDS[order.side][1],
    })));
    const fills = told.window.fills.slice(-FILLS).reverse();
    drawRows(element("moment-fills"), fills.map((fill) => ({ cells: [clock(fill.time_ms), WORDS[fill.side][0], price(fill.price), qty(fill.qty)], kind: WORDS[fill.side][1] })));
    element("moment-fills-empty").hidden = fills.length > 0;
    setText(element("moment-fills-empty"), told.window.not_kept.fills ? "none is known" : "none");
    element("moment-book-empty").hidden = told.book.bids.length + told.book.asks.length > 0;
    element("moment-orders-empty").hidden = told.orders.length > 0;
    drawTerms(element("moment-decisions"), Object.entries(told.decisions).map(([side, each]) => [side === "BUY" ? "bid" : "ask", decided(each)]));
  }
}

function decided(each) {
  if (!each) return "nothing was decided, as far as is kept";
  const terms = each.price === null ? "" : ` ${exact(each.qty)} at ${exact(each.price)}`;
  const numbers = Object.entries(each.numbers).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
  return `${each.time.slice(0, 19).replace("T", " ")} ${each.action}${terms}: ${each.rule}, ${each.why}${numbers ? ` (${numbers})` : ""}`;
}
