// How good the fills are, and how long things take: estimates, never without how many they are of.
import { decimals } from "./numbers.js";
import { drawRows, element, setText } from "./rows.js";

const STAGES = { gateway: "gateway to engine and back", engine: "in the engine", decision: "to decide", venue: "until the venue answers" };
const UNITS = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]];

export function drawMarkouts(line) {
  const told = line.values.markouts ?? [];
  const bps = (value) => decimals(value, 2, true);
  const rows = told.filter((row) => row.n).map((row) => ({
    cells: [`${row.horizon_s} s`, row.side, bps(row.mean_bps), row.low_bps === null ? "too few" : `${bps(row.low_bps)} to ${bps(row.high_bps)}`, bps(row.capture_bps), bps(row.adverse_bps), decimals(row.n, 0)],
    kind: row.side === "both" ? "sum" : "",
  }));
  drawRows(element("markouts").querySelector("tbody"), rows);
  const missing = told.filter((row) => row.side === "both" && row.missing).map((row) => `${decimals(row.missing, 0)} after ${row.horizon_s} s`);
  setText(element("markouts-note"), missing.length ? `fills without a mid (yet): ${missing.join(", ")}` : "");
}

// A percentile as the bucket that it is in, [more than, at most] ns.
function within(bounds) {
  if (!bounds) return "too few";
  const [low, high] = bounds;
  const [unit, name] = UNITS.find(([size]) => (high ?? low) >= size) ?? UNITS.at(-1);
  const number = (ns) => String(ns / unit);
  return high === null ? `over ${number(low)} ${name}` : `${number(low)}–${number(high)} ${name}`;
}

export function drawLatencies(line) {
  const rows = (line.values.latencies ?? []).filter((row) => row.n).map((row) => ({
    cells: [`${row.node}: ${STAGES[row.stage] ?? row.stage}`, within(row.p50), within(row.p90), within(row.p99), decimals(row.n, 0)],
  }));
  drawRows(element("latencies").querySelector("tbody"), rows);
}
