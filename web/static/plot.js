// A chart of lines over time, drawn by uPlot: what it shows stands in columns, the first of them s since 1970.
import { element } from "./rows.js";

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clockOf = (_, seconds) => seconds.map((each) => new Date(each * 1000).toISOString().slice(14, 19));

export class Plot {
  // lines: [label, name of its colour, width, whether it goes in steps]; onPoint: hears of the moment that is pointed at.
  constructor(id, lines, axisWidth, onPoint) {
    this.box = element(id);
    const size = () => ({ width: Math.max(200, this.box.clientWidth), height: Math.max(80, this.box.clientHeight) });
    const stroke = (name) => () => colour(name);
    const axis = { stroke: stroke("--dim"), grid: { stroke: stroke("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    const paths = window.uPlot.paths.stepped({ align: 1 });
    const series = ([label, name, width, isStepped]) => ({ label, stroke: stroke(name), width, points: { show: false }, spanGaps: false, ...(isStepped ? { paths } : {}) });
    this.plot = new window.uPlot({
      ...size(),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      hooks: { setCursor: [(plot) => this.isPlacing || onPoint(plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null)] },
      scales: { x: { time: true, auto: false } },
      axes: [{ ...axis, values: clockOf, space: 60, size: 22, gap: 2 }, { ...axis, size: axisWidth, space: 26, values: (_, ticks) => ticks.map((each) => `${Number(each.toPrecision(6))}`) }],
      series: [{}, ...lines.map(series)],
    }, [[], ...lines.map(() => [])], this.box);
    new ResizeObserver(() => this.box.clientWidth && this.plot.setSize(size())).observe(this.box);
  }

  set(columns, min, max) {
    this.plot.syncRect(true); // what stands above it may have grown: it looks anew where it is
    this.plot.setData(columns);
    this.plot.setScale("x", { min, max });
  }

  // Put the cursor on a moment, s since 1970; null: nowhere.
  point(at) {
    const left = at === null ? -10 : this.plot.valToPos(at, "x");
    this.isPlacing = true;
    this.plot.setCursor({ left: left >= 0 && left <= this.plot.over.clientWidth ? left : -10, top: -10 }, true);
    this.isPlacing = false;
  }

  redraw() {
    this.plot.redraw();
  }
}
