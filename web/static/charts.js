// Price by the second with our quotes and fills on it, and our quotes around the mid message by message.
import { clock, decimals, halfText, stepText, stepValue } from "./numbers.js";
import { element, setText } from "./rows.js";
import { best, distance } from "./strip.js";

const MARKERS = 2000, SECONDS_MIN = 600, NEAR_S = 60, NEAR_POINTS = 700, NEAR_DRAW_MS = 200;
const NEAR_LEGEND = "our bid and ask, bps from the mid; thin: the market's", KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Charts {
  constructor(missing) {
    this.near = [[], [], [], []]; // seconds, bid, ask and the market's half spread, in basis points
    this.nearDrawn = 0;
    this.at = null; // the moment that the cursor of both charts is on, s since 1970; null: none
    element("charts").addEventListener("keydown", (event) => this.moveByKey(event));
    setText(element("charts-note"), missing ? `The page works without: ${missing}.` : "");
    for (const [name, isThere] of [["candles", "LightweightCharts" in window], ["near", "uPlot" in window]]) {
      element(name).hidden = !isThere;
      element(name).previousElementSibling.hidden = !isThere;
    }
    setText(element("credits"), "LightweightCharts" in window ? "charts by TradingView Lightweight Charts™ and uPlot" : "");
    if ("LightweightCharts" in window) this.credit();
  }

  // The licence of lightweight-charts asks for a link to its makers.
  credit() {
    const link = document.createElement("a");
    link.href = "https://www.tradingview.com/";
    link.rel = "noreferrer";
    link.textContent = "TradingView Lightweight Charts™";
    const plain = "uPlot" in window ? ", uPlot" : "";
    element("credits").replaceChildren("charts: ", link, ` (c) 2025 TradingView, Inc., Apache-2.0${plain}`);
  }

  draw(line, changed) {
    this.line = line;
    if ("LightweightCharts" in window) {
      if (!this.chart) this.begin(line);
      if (changed.has("bars")) this.drawBars(line);
      if (changed.has("fills") || changed.has("hello")) this.drawFills(line);
    }
    if ("uPlot" in window && changed.has("v")) this.drawNear(line);
    if (this.at !== null) this.tell(); // what was then may have come only now
  }

  // --- candles ---

  begin(line) {
    const { createChart, CandlestickSeries, LineSeries, createSeriesMarkers, LineType } = window.LightweightCharts;
    const [units, places] = line.hello.tick;
    this.value = stepValue(line.hello.tick);
    const priceFormat = { type: "price", precision: places, minMove: units / 10 ** places };
    this.chart = createChart(element("candles"), {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: "inherit", fontSize: 11 },
      timeScale: { timeVisible: true, secondsVisible: true, rightOffset: 4, allowShiftVisibleRangeOnWhitespaceReplacement: true, minBarSpacing: 0.5, barSpacing: 5 },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.08 } },
      handleScale: { axisPressedMouseMove: { time: true, price: false } },
      localization: { locale: "en-US" },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, { priceFormat, priceLineVisible: false });
    const quote = { priceFormat, lineWidth: 1, lineType: LineType.WithSteps, priceLineVisible: false, lastValueVisible: true, crosshairMarkerVisible: false };
    this.quotes = [this.chart.addSeries(LineSeries, { ...quote, title: "bid" }), this.chart.addSeries(LineSeries, { ...quote, title: "ask" })];
    this.markers = createSeriesMarkers(this.candles, []);
    this.drawn = this.count = 0;
    this.chart.subscribeCrosshairMove((moved) => moved.sourceEvent && this.point(moved.time ?? null, "candles"));
    element("candles").addEventListener("mouseleave", () => this.point(null, "candles"));
    this.colourCandles();
  }

  drawBars(line) {
    const fresh = [...line.fresh].sort((a, b) => a - b).map((second) => line.bars.get(second));
    line.fresh.clear();
    // Anew: the chart keeps all that it was told; a second that is no more; one of before that it has not got.
    const isOdd = fresh.some((bar) => !bar || (bar[0] < this.drawn && !this.known.has(bar[0])));
    if (isOdd || this.count > 2 * line.bars.size + SECONDS_MIN) this.drawn = this.count = 0;
    const bars = this.drawn ? fresh : [...line.bars.values()].sort((a, b) => a[0] - b[0]);
    if (!bars.length) return;
    if (!this.drawn) this.known = new Set();
    bars.forEach((bar) => this.known.add(bar[0]));
    this.count += bars.filter((bar) => bar[0] > this.drawn).length;
    // A second without a trade is a dash at the last price: the chart goes on, and shows that nothing happened.
    const candle = ([time, ...prices]) => {
      if (prices[0] !== null) this.last = time >= this.drawn ? this.value(prices[3]) : this.last;
      else if (this.last === undefined) return { time };
      const [open, high, low, close] = prices[0] === null ? Array(4).fill(this.last) : prices.slice(0, 4).map(this.value);
      return { time, open, high, low, close };
    };
    const quote = (bar, place) => (bar[place] === null ? { time: bar[0] } : { time: bar[0], value: this.value(bar[place]) });
    if (!this.drawn) {
      this.candles.setData(bars.map(candle));
      this.quotes.forEach((series, at) => series.setData(bars.map((bar) => quote(bar, 6 + at))));
    } else {
      for (const bar of bars) {
        const isOlder = bar[0] < this.drawn; // a trade that was told after its second
        this.candles.update(candle(bar), isOlder);
        this.quotes.forEach((series, at) => series.update(quote(bar, 6 + at), isOlder));
      }
    }
    this.drawn = Math.max(this.drawn, bars.at(-1)[0]);
  }

  drawFills(line) {
    const fills = [...line.fills.values()].slice(-MARKERS).sort((a, b) => a.time_ms - b.time_ms);
    const oldest = line.bars.keys().next().value ?? 0;
    const shown = fills.filter((fill) => fill.time_ms / 1000 >= oldest);
    this.markers.setMarkers(shown.map((fill) => {
      const isBuy = fill.side === "BUY";
      const at = { time: Math.floor(fill.time_ms / 1000), price: Number(fill.price), id: fill.id };
      return { ...at, position: isBuy ? "atPriceBottom" : "atPriceTop", shape: isBuy ? "arrowUp" : "arrowDown", color: colour(isBuy ? "--buy" : "--sell"), size: 1 };
    }));
  }

  colourCandles() {
    const [ink, line, buy, sell] = ["--dim", "--line", "--buy", "--sell"].map(colour);
    this.chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: ink },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line },
    });
    this.candles.applyOptions({ upColor: buy, borderUpColor: buy, wickUpColor: buy, downColor: sell, borderDownColor: sell, wickDownColor: sell });
    this.quotes.forEach((series, at) => series.applyOptions({ color: colour(at ? "--sell" : "--buy") }));
  }

  // --- the last minute ---

  drawNear(line) {
    const [bid, ask] = [best(line, 0), best(line, 1)];
    const [top, low] = [line.levels(0)[0], line.levels(1)[0]];
    const market = top && low ? ((low[0] - top[0]) * 10000) / (low[0] + top[0]) : null;
    if (this.near[0].at(-1) > line.time / 1000) this.near.forEach((series) => (series.length = 0)); // the clock was set back
    const off = [bid, ask].map((ticks, side) => (ticks === undefined ? null : distance(line, side, ticks))); // null, too, without a mid
    const row = [line.time / 1000, off[0] === null ? null : -off[0], off[1], market];
    this.near.forEach((series, at) => series.push(row[at]));
    while (this.near[0].length > NEAR_POINTS || row[0] - this.near[0][0] > NEAR_S) this.near.forEach((series) => series.shift());
    const now = performance.now();
    if (now - this.nearDrawn < NEAR_DRAW_MS) return;
    this.nearDrawn = now;
    this.plot ??= this.beginNear();
    this.plot.syncRect(true); // what stands above it may have grown: it looks anew where it is
    this.plot.setData([this.near[0], this.near[1], this.near[2], this.near[3], this.near[3].map((each) => (each === null ? null : -each))]);
    this.plot.setScale("x", { min: row[0] - NEAR_S, max: row[0] });
    this.pointNear();
  }

  beginNear() {
    const box = element("near");
    const size = () => ({ width: Math.max(200, box.clientWidth), height: Math.max(80, box.clientHeight) });
    const stroke = (name) => () => colour(name);
    const axis = { stroke: stroke("--dim"), grid: { stroke: stroke("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const series = (label, name, width) => ({ label, stroke: stroke(name), width, points: { show: false }, spanGaps: false });
    const clock = (_, seconds) => seconds.map((each) => new Date(each * 1000).toISOString().slice(14, 19));
    const plot = new window.uPlot({
      ...size(),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      hooks: { setCursor: [(plot) => this.isPlacing || this.point(plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null, "near")] },
      scales: { x: { time: true, auto: false } },
      axes: [{ ...axis, values: clock, space: 60, size: 22, gap: 2 }, { ...axis, size: 44, space: 26, values: (_, ticks) => ticks.map((each) => `${each}`) }],
      series: [{}, series("bid", "--buy", 2), series("ask", "--sell", 2), series("best ask", "--dim", 1), series("best bid", "--dim", 1)],
    }, [[], [], [], [], []], box);
    new ResizeObserver(() => plot.setSize(size())).observe(box);
    setText(element("near-legend"), NEAR_LEGEND);
    return plot;
  }

  // --- one cursor over both ---

  // Put it on a moment, as the chart `from` says, or the keys.
  point(at, from) {
    if (at === this.at) return;
    this.at = at;
    if (from !== "candles" && this.chart) this.pointCandles();
    if (from !== "near") this.pointNear();
    this.tell();
  }

  pointCandles() {
    const bar = this.at === null ? undefined : this.line.bars.get(Math.floor(this.at));
    const ticks = bar && (bar[4] ?? (bar[8] === null ? bar[6] : bar[8] / 2));
    if (ticks === undefined || ticks === null) this.chart.clearCrosshairPosition();
    else this.chart.setCrosshairPosition(this.value(ticks), bar[0], this.candles);
  }

  pointNear() {
    if (!this.plot) return;
    const left = this.at === null ? -10 : this.plot.valToPos(this.at, "x");
    this.isPlacing = true;
    this.plot.setCursor({ left: left >= 0 && left <= this.plot.over.clientWidth ? left : -10, top: -10 }, true);
    this.isPlacing = false;
  }

  // What was at that moment, in words beside the titles.
  tell() {
    const bar = this.at === null ? undefined : this.line.bars.get(Math.floor(this.at));
    let text = "";
    if (bar) {
      const { tick, lot } = this.line.hello;
      const [price, half, qty] = [stepText(tick), halfText(tick), stepText(lot)];
      const trades = bar[1] === null ? "no trade" : `${price(bar[1])} to ${price(bar[4])}, low ${price(bar[3])}, high ${price(bar[2])}, ${qty(bar[5])} traded`;
      const quotes = [bar[6], bar[7]].map((ticks) => (ticks === null ? "–" : price(ticks))).join(" / ");
      text = `${clock(1000 * bar[0])} · ${trades} · ours ${quotes} · mid ${bar[8] === null ? "–" : half(bar[8])}`;
    }
    setText(element("candles-legend"), text);
    const place = this.at === null ? -1 : this.near[0].findLastIndex((second) => second <= this.at);
    const bps = (value) => (value === null ? "–" : `${decimals(value, 1)} bps`);
    setText(element("near-legend"), place < 0 ? NEAR_LEGEND : `bid ${bps(this.near[1][place])} · ask ${bps(this.near[2][place])}`);
  }

  // Left and right by a second, page up and down by ten, end to the newest, Escape: none.
  moveByKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.line) return;
    const newest = [...this.line.bars.keys()].at(-1);
    const by = KEYS[event.key];
    if (by && newest) this.point(Math.min(newest, Math.floor(this.at ?? newest) + (this.at === null ? 0 : by)), "keys");
    else if (event.key === "End" && newest) this.point(newest, "keys");
    else if (event.key === "Escape") this.point(null, "keys");
    else return;
    event.preventDefault();
  }

  recolour() {
    if (this.chart) this.colourCandles();
    this.plot?.redraw();
  }
}
