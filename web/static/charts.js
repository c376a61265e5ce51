// Price by the second with our quotes and fills on it, and our quotes around the mid message by message.
import { clock, decimals, halfText, stepText, stepValue } from "./numbers.js";
import { colour, Plot } from "./plot.js";
import { element, setText } from "./rows.js";
import { best, distance } from "./strip.js";

const MARKERS = 2000, SECONDS_MIN = 600, NEAR_S = 60, NEAR_POINTS = 700, NEAR_DRAW_MS = 200;
const NEAR_LEGEND = "our bid and ask, bps from the mid; thin: the market's", KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
const NEAR_LINES = [["bid", "--buy", 2], ["ask", "--sell", 2], ["best ask", "--dim", 1], ["best bid", "--dim", 1]];
const bps = (value) => (value === null ? "–" : `${decimals(value, 1)} bps`);

// The charts of a stretch of time under one cursor. What they show is a source: hello, bars by second, and fills, as
// the line has them. `where` begins the names of their elements.
export class Charts {
  constructor(missing, where = "") {
    this.element = (name) => element(where + name);
    this.where = where;
    this.near = [[], [], [], []]; // seconds, bid, ask and the market's half spread, in basis points
    this.nearDrawn = 0;
    this.at = null; // the moment that the cursor of all charts is on, s since 1970; null: none
    this.element("charts").addEventListener("keydown", (event) => this.moveByKey(event));
    setText(this.element("charts-note"), missing ? `The page works without: ${missing}.` : "");
    this.hasCandles = "LightweightCharts" in window;
    this.hasPlots = "uPlot" in window;
    for (const [name, isThere] of [["candles", this.hasCandles], ["near", this.hasPlots]]) this.showChart(name, isThere);
    if (!where) this.credit();
  }

  showChart(name, isShown) {
    this.element(name).hidden = !isShown;
    this.element(name).previousElementSibling.hidden = !isShown;
  }

  // The licence of lightweight-charts asks for a link to its makers.
  credit() {
    if (!this.hasCandles) return setText(element("credits"), "");
    const link = document.createElement("a");
    link.href = "https://www.tradingview.com/";
    link.rel = "noreferrer";
    link.textContent = "TradingView Lightweight Charts™";
    const plain = this.hasPlots ? ", uPlot" : "";
    element("credits").replaceChildren("charts: ", link, ` (c) 2025 TradingView, Inc., Apache-2.0${plain}`);
  }

  draw(line, changed) {
    this.source = line;
    if (this.hasCandles) {
      if (!this.chart) this.begin(line);
      if (changed.has("bars")) this.drawBars(line);
      if (changed.has("fills") || changed.has("hello")) this.drawFills(line);
    }
    if (this.hasPlots && changed.has("v")) this.drawNear(line);
    if (this.at !== null) this.tell(); // what was then may have come only now
  }

  // --- candles ---

  begin(source) {
    const { createChart, CandlestickSeries, LineSeries, createSeriesMarkers, LineStyle, LineType } = window.LightweightCharts;
    const [units, places] = source.hello.tick;
    this.value = stepValue(source.hello.tick);
    const priceFormat = { type: "price", precision: places, minMove: units / 10 ** places };
    this.chart = createChart(this.element("candles"), {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: "inherit", fontSize: 11 },
      timeScale: { timeVisible: true, secondsVisible: true, rightOffset: 4, allowShiftVisibleRangeOnWhitespaceReplacement: true, minBarSpacing: 0.5, barSpacing: 5 },
      rightPriceScale: { scaleMargins: { top: 0.08, bottom: 0.08 } },
      handleScale: { axisPressedMouseMove: { time: true, price: false } },
      localization: { locale: "en-US" },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, { priceFormat, priceLineVisible: false });
    const line = { priceFormat, lineWidth: 1, priceLineVisible: false, crosshairMarkerVisible: false };
    const quote = { ...line, lineType: LineType.WithSteps, lastValueVisible: true };
    this.quotes = [this.chart.addSeries(LineSeries, { ...quote, title: "bid" }), this.chart.addSeries(LineSeries, { ...quote, title: "ask" })];
    this.mid = this.chart.addSeries(LineSeries, { ...line, lineStyle: LineStyle.Dotted, lastValueVisible: false });
    this.markers = createSeriesMarkers(this.candles, []);
    this.drawn = this.count = 0;
    this.chart.subscribeCrosshairMove((moved) => moved.sourceEvent && this.point(moved.time ?? null, "candles"));
    this.element("candles").addEventListener("mouseleave", () => this.point(null, "candles"));
    this.colourCandles();
  }

  drawBars(source) {
    const fresh = [...source.fresh].sort((a, b) => a - b).map((second) => source.bars.get(second));
    source.fresh.clear();
    // Anew: the chart keeps all that it was told; a second that is no more; one of before that it has not got.
    const isOdd = fresh.some((bar) => !bar || (bar[0] < this.drawn && !this.known.has(bar[0])));
    if (isOdd || this.count > 2 * source.bars.size + SECONDS_MIN) this.drawn = this.count = 0;
    const bars = this.drawn ? fresh : [...source.bars.values()].sort((a, b) => a[0] - b[0]);
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
    const point = (bar, ticks) => (ticks === null ? { time: bar[0] } : { time: bar[0], value: this.value(ticks) });
    const lines = [
      [this.quotes[0], (bar) => point(bar, bar[6])],
      [this.quotes[1], (bar) => point(bar, bar[7])],
      [this.mid, (bar) => point(bar, bar[8] === null ? null : bar[8] / 2)],
    ];
    if (!this.drawn) {
      this.candles.setData(bars.map(candle));
      lines.forEach(([series, of]) => series.setData(bars.map(of)));
    } else {
      for (const bar of bars) {
        const isOlder = bar[0] < this.drawn; // a trade that was told after its second
        this.candles.update(candle(bar), isOlder);
        lines.forEach(([series, of]) => series.update(of(bar), isOlder));
      }
    }
    this.drawn = Math.max(this.drawn, bars.at(-1)[0]);
  }

  drawFills(source) {
    const fills = [...source.fills.values()].slice(-MARKERS).sort((a, b) => a.time_ms - b.time_ms);
    const oldest = source.bars.keys().next().value ?? 0;
    const shown = fills.filter((fill) => fill.time_ms / 1000 >= oldest);
    this.markers.setMarkers(shown.map((fill) => {
      const isBuy = fill.side === "BUY";
      const at = { time: Math.floor(fill.time_ms / 1000), price: Number(fill.price), id: String(fill.id) };
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
    this.mid.applyOptions({ color: ink });
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
    if (!this.nearPlot) {
      this.nearPlot = this.plotOf("near", NEAR_LINES, 44);
      this.tell();
    }
    this.nearPlot.set([this.near[0], this.near[1], this.near[2], this.near[3], this.near[3].map((each) => (each === null ? null : -each))], row[0] - NEAR_S, row[0]);
    this.nearPlot.point(this.at);
  }

  plotOf(name, lines, axisWidth) {
    return new Plot(this.where + name, lines, axisWidth, (at) => this.point(at, name));
  }

  // --- one cursor over all ---

  get plots() {
    return [["near", this.nearPlot]];
  }

  // Put it on a moment, as the chart `from` says, or the keys.
  point(at, from) {
    if (at === this.at) return;
    this.at = at;
    if (from !== "candles" && this.chart) this.pointCandles();
    for (const [name, plot] of this.plots) if (name !== from) plot?.point(at);
    this.tell();
  }

  pointCandles() {
    const bar = this.at === null ? undefined : this.source.bars.get(Math.floor(this.at));
    const ticks = bar && (bar[4] ?? (bar[8] === null ? bar[6] : bar[8] / 2));
    if (ticks === undefined || ticks === null) this.chart.clearCrosshairPosition();
    else this.chart.setCrosshairPosition(this.value(ticks), bar[0], this.candles);
  }

  // What was at that moment, in words beside the titles.
  tell() {
    const bar = this.at === null ? undefined : this.source.bars.get(Math.floor(this.at));
    let text = "";
    if (bar) {
      const { tick, lot } = this.source.hello;
      const [price, half, qty] = [stepText(tick), halfText(tick), stepText(lot)];
      const trades = bar[1] === null ? "no trade" : `${price(bar[1])} to ${price(bar[4])}, low ${price(bar[3])}, high ${price(bar[2])}, ${qty(bar[5])} traded`;
      const quotes = [bar[6], bar[7]].map((ticks) => (ticks === null ? "–" : price(ticks))).join(" / ");
      text = `${clock(1000 * bar[0])} · ${trades} · ours ${quotes} · mid ${bar[8] === null ? "–" : half(bar[8])}`;
    }
    setText(this.element("candles-legend"), text);
    const place = this.at === null ? -1 : this.near[0].findLastIndex((second) => second <= this.at);
    setText(this.element("near-legend"), place < 0 ? this.nearLegend : `bid ${bps(this.near[1][place])} · ask ${bps(this.near[2][place])}`);
  }

  get nearLegend() {
    return NEAR_LEGEND;
  }

  // Left and right by a second, page up and down by ten, end to the newest, Escape: none.
  moveByKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.source) return;
    const newest = [...this.source.bars.keys()].at(-1);
    const by = KEYS[event.key];
    if (by && newest) this.point(Math.min(newest, Math.floor(this.at ?? newest) + (this.at === null ? 0 : by)), "keys");
    else if (event.key === "End" && newest) this.point(newest, "keys");
    else if (event.key === "Escape") this.point(null, "keys");
    else return;
    event.preventDefault();
  }

  recolour() {
    if (this.chart) {
      this.colourCandles();
      if (this.source) this.drawFills(this.source);
    }
    for (const [, plot] of this.plots) plot?.redraw();
  }
}
