// The charts of what came before a moment of the past: as those of the present, of seconds that are over.
import { Charts } from "./charts.js";
import { clock, exact } from "./numbers.js";
import { setText } from "./rows.js";

const NEAR_LINES = [["bid", "--buy", 2, true], ["ask", "--sell", 2, true]], HELD_LINES = [["position", "--own", 2, true]];
const NEAR_LEGEND = "our bid and ask at the end of each second, bps from the mid";

export class PastCharts extends Charts {
  constructor(missing) {
    super(missing, "moment-");
    this.held = [[], []]; // seconds, and the position from then on
    this.steps = [];
  }

  // Show the window of what `at` tells; hello: the pair's steps and assets. Whatever was shown before is gone.
  show(told, hello) {
    const { window: kept } = told;
    this.span = [Date.parse(kept.since) / 1000, Date.parse(told.time) / 1000];
    const [bars, fills] = [kept.bars.map((bar) => [bar[0], inSteps(bar, hello)]), kept.fills.map((fill) => [fill.id, fill])];
    this.source = { hello, bars: new Map(bars), fills: new Map(fills), fresh: new Set() };
    this.at = null;
    this.tellKept(kept);
    const hasBars = kept.bars.length > 0;
    this.showChart("candles", this.hasCandles && hasBars);
    this.showChart("near", this.hasPlots && hasBars);
    if (this.hasCandles && hasBars) this.showCandles();
    if (this.hasPlots && hasBars) this.showNear();
    this.showHeld(told, kept);
    this.tell();
  }

  // What of it nobody has kept, said where it would stand; and what the page does without.
  tellKept({ not_kept: missing, bars }) {
    const why = missing.bars ?? "nothing is kept of prices and quotes";
    const none = this.element("candles-empty");
    setText(none, `Not kept: ${why}.`);
    none.hidden = bars.length > 0;
    const part = this.element("kept-note");
    setText(part, [bars.length ? missing.bars : "", missing.fills].filter(Boolean).map((text) => `Not all is kept: ${text}.`).join(" "));
    part.hidden = !part.textContent;
  }

  showCandles() {
    if (!this.chart) this.begin(this.source);
    this.drawn = this.count = 0;
    this.last = undefined;
    this.drawBars(this.source);
    this.drawFills(this.source);
    this.chart.timeScale().fitContent();
  }

  showNear() {
    const above = (ticks, twice) => (ticks === null || twice === null ? null : ((2 * ticks - twice) * 10000) / twice);
    const bars = [...this.source.bars.values()];
    const seconds = [...bars, bars.at(-1)]; // the last one to its end
    this.near = [[...bars.map((bar) => bar[0]), Math.min(bars.at(-1)[0] + 1, this.span[1])]];
    this.near.push(seconds.map((bar) => above(bar[6], bar[8])), seconds.map((bar) => above(bar[7], bar[8])), []);
    this.nearPlot ??= this.plotOf("near", NEAR_LINES, 44);
    this.nearPlot.set(this.near.slice(0, 3), ...this.span);
  }

  showHeld(told, kept) {
    const [since, until] = this.span;
    this.steps = kept.position_before === null ? [] : [[since, kept.position_before]];
    this.steps.push(...kept.fills.map((fill) => [fill.time_ms / 1000, fill.position]));
    const known = Math.min(until, Date.parse(kept.fills_until) / 1000);
    const isKnown = this.hasPlots && told.position !== null && this.steps.length > 0;
    this.showChart("held", isKnown);
    if (!isKnown) return;
    const last = this.steps.at(-1);
    this.held = [[...this.steps.map((step) => step[0]), Math.max(known, last[0])], [...this.steps.map((step) => step[1]), last[1]]];
    this.heldPlot ??= this.plotOf("held", HELD_LINES, 64);
    this.heldPlot.set(this.held, ...this.span);
  }

  get plots() {
    return [["near", this.nearPlot], ["held", this.heldPlot]];
  }

  get nearLegend() {
    return NEAR_LEGEND;
  }

  tell() {
    if (!this.source) return;
    super.tell();
    const step = this.at === null ? undefined : this.steps.findLast(([second]) => second <= this.at);
    const { base } = this.source.hello;
    setText(this.element("held-legend"), step ? `${clock(1000 * this.at)} · ${exact(step[1], true)} ${base}` : `what our fills have left open, ${base}`);
  }
}

// A second as the line tells it: in steps of the pair, the mid in halves of one.
function inSteps([second, ...values], { tick, lot }) {
  const steps = (value, [units, places], factor = 1) => (value === null ? null : Math.round((factor * value * 10 ** places) / units));
  const [open, high, low, close, qty, bid, ask, mid] = values;
  return [second, ...[open, high, low, close].map((price) => steps(price, tick)), steps(qty, lot), steps(bid, tick), steps(ask, tick), steps(mid, tick, 2)];
}
