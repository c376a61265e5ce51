// The line to the api: what it has told, and whether that is still so. It reconnects by itself.
const CONFIRM_EVERY = 5, SILENCE_MS = 1500, GIVE_UP_MS = 5000, RETRY_MS = [250, 500, 1000, 2000], BOUND = { trades: 200, fills: 2000, bars: 1800 };

export class Line {
  constructor(symbol, onChange) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live?symbol=${encodeURIComponent(symbol)}`;
    this.onChange = onChange;
    this.hello = null;
    this.book = [new Map(), new Map()]; // by side: price in ticks -> [lots, orders, own lots]
    this.trades = [];
    this.fills = new Map();
    this.bars = new Map();
    this.fresh = new Set(); // the seconds of those that have changed since the chart has drawn them
    this.values = {};
    this.time = 0; // of the last message, ms since 1970 UTC by the api's clock
    this.heard = 0; // when it came, by our own
    this.way = 0; // from the api's clock to ours, at the shortest of this connection
    this.late = 0; // by how much longer the last message was on its way
    this.seen = 0;
    this.count = 0;
    this.failures = 0;
    this.refusal = "";
    this.connect();
    addEventListener("online", () => this.socket || this.connect());
    setInterval(() => this.giveUp(), SILENCE_MS);
  }

  connect() {
    clearTimeout(this.retry);
    const socket = (this.socket = new WebSocket(this.url));
    this.seen = 0;
    this.begun = performance.now();
    socket.onmessage = (event) => socket === this.socket && this.take(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      this.refusal = event.code === 1008 || event.code === 1013 ? event.reason : "";
      this.connectLater();
    };
  }

  connectLater() {
    this.socket = null;
    this.retry = setTimeout(() => this.connect(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
  }

  // A connection whose other end is gone, or cannot be reached any more, may stand for hours: nobody says so.
  giveUp() {
    const socket = this.socket;
    if (!socket || performance.now() - Math.max(this.heard, this.begun) < GIVE_UP_MS) return;
    this.connectLater();
    socket.close();
  }

  take(message) {
    if (message.hello) {
      // Another desk, or another version of this page: nothing of before is true any more.
      if (this.hello && JSON.stringify(this.hello) !== JSON.stringify(message.hello)) return void location.reload();
      this.hello = message.hello;
      this.onChange(["hello"]);
      return;
    }
    if (message.after !== this.seen) {
      this.socket.close();
      return;
    }
    const isFirst = this.seen === 0, way = performance.now() - message.time;
    this.way = isFirst || message.time < this.time ? way : Math.min(this.way, way); // a clock that was set back, too
    this.late = way - this.way;
    this.seen = message.v;
    this.time = message.time;
    this.heard = performance.now();
    this.failures = 0;
    this.refusal = "";
    if (++this.count % CONFIRM_EVERY === 0 || isFirst) this.socket.send(String(message.v));
    if (isFirst) this.values = {}; // it tells all that is known: what it does not have is not known any more
    if (message.whole) this.book.forEach((levels) => levels.clear());
    for (const [side, price, ...rest] of message.book ?? []) {
      if (rest[0]) this.book[side].set(price, rest);
      else this.book[side].delete(price);
    }
    if (message.trades) this.takeTrades(message.trades);
    for (const fill of message.fills ?? []) this.fills.set(fill.id, fill);
    for (const bar of message.bars ?? []) {
      if (bar.length > 1) this.bars.set(bar[0], bar);
      else this.bars.delete(bar[0]); // a clock was set back: that second has not been yet
      this.fresh.add(bar[0]);
    }
    for (const [map, most] of [[this.fills, BOUND.fills], [this.bars, BOUND.bars], [this.fresh, BOUND.bars]]) {
      for (const key of map.keys()) if (map.size > most) map.delete(key); else break;
    }
    const changed = Object.keys(message);
    for (const name of changed) {
      if (!["book", "trades", "fills", "bars", "v", "after", "time", "whole"].includes(name)) this.values[name] = message[name];
    }
    this.onChange(isFirst ? [...changed, "hello"] : changed);
  }

  takeTrades(rows) {
    const newest = this.trades.at(-1)?.[0] ?? 0;
    if (rows.at(-1)[0] < newest) this.trades = []; // an engine that has begun anew counts from 1
    const known = this.trades.at(-1)?.[0] ?? 0;
    this.trades = [...this.trades, ...rows.filter((row) => row[0] > known)].slice(-BOUND.trades);
  }

  // [state, what to say of it]: connecting, live, trouble (something beside the market), stale, refused.
  get state() {
    if (this.refusal) return ["refused", this.refusal];
    if (!this.heard) return ["connecting", this.failures > 1 ? "the api does not answer: is the desk up?" : "connecting ..."];
    const silence = performance.now() - this.heard;
    if (!this.socket || silence > SILENCE_MS) return ["stale", `STALE: nothing from the api for ${(silence / 1000).toFixed(0)} s`];
    if (this.late > SILENCE_MS) return ["stale", `STALE: what comes is ${(this.late / 1000).toFixed(0)} s old, the line is slow`];
    const troubles = this.values.troubles ?? [];
    const market = troubles.find(([name]) => name === "feed") ?? troubles.find(([name]) => name === "desk" && this.hadDesk);
    if (market) return ["stale", `STALE: ${market[1]}`];
    if (troubles.length) return ["trouble", `LIVE, but ${troubles[0][1]}`];
    this.hadDesk = true;
    return ["live", "LIVE"];
  }

  // The api's time of day, as far as it can be known here.
  get now() {
    return this.time + (this.heard ? this.late + performance.now() - this.heard : 0);
  }

  // The levels of a side, best first: [price, lots, orders, own lots].
  levels(side) {
    const rows = [...this.book[side]].map(([price, rest]) => [price, ...rest]);
    return rows.sort((a, b) => (side ? a[0] - b[0] : b[0] - a[0]));
  }
}
