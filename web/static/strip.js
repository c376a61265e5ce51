// The five answers: is it quoting, how far from the mid, what is held, what is earned and why, is anything wrong.
import { age, decimals, exact } from "./numbers.js";
import { element, setClass, setText } from "./rows.js";

const SIDES = ["bid", "ask"];

function answer(id, big, more, kind) {
  const box = element(id);
  setText(box.querySelector(".big"), big);
  setText(box.querySelector(".more"), more);
  setClass(box, `answer ${kind}`);
}

// Our best price of a side in ticks, or nothing: of our orders in the book or, while it is not known yet which of them
// are ours, as the maker has it.
export function best(line, side) {
  const row = (line.values.quotes?.own ?? []).find((each) => each[0] === side);
  const told = line.values.quoting;
  if (row) return row[1];
  if (told?.symbol !== line.hello.symbol || told.sides[side].price === null) return undefined;
  const [units, places] = line.hello.tick;
  return Math.round((told.sides[side].price * 10 ** places) / units);
}

function youngest(line) {
  const since = (line.values.quotes?.own ?? []).map((row) => row[5]);
  return since.length ? `the youngest ${age(line.now - Math.max(...since))} old` : "just placed";
}

// How far a price is from the mid, in basis points, away from it being positive.
export function distance(line, side, ticks) {
  const twice = line.values.quotes?.mid_x2;
  return twice ? ((side ? 1 : -1) * (2 * ticks - twice) * 10000) / twice : null;
}

function quoting(line, price) {
  const told = line.values.quoting;
  if (told && told.symbol !== line.hello.symbol) {
    return answer("quoting", "No maker here", `the desk's maker quotes ${told.symbol}`, "none");
  }
  const ours = [best(line, 0), best(line, 1)];
  const count = ours.filter((each) => each !== undefined).length;
  const none = (told?.sides ?? []).map((side) => (side.price === null ? `${side.rule}, ${side.why}` : ""));
  const isSame = none[0] && none[0] === none[1];
  const idle = isSame ? [none[0]] : none.flatMap((why, at) => (why ? [`no ${SIDES[at]}: ${why}`] : []));
  const prices = ours.map((ticks) => (ticks === undefined ? "–" : price(ticks))).join(" / ");
  const text = ["No", ours[0] === undefined ? "Ask only" : "Bid only", "Yes, both sides"][count];
  const more = [count ? prices : "", idle.join("; "), count ? youngest(line) : ""].filter(Boolean);
  answer("quoting", text, more.join(" · ") || "no order of ours is in the book", ["bad", "warn", "good"][count]);
}

function distances(line, half) {
  const ours = [best(line, 0), best(line, 1)];
  const bps = ours.map((ticks, side) => (ticks === undefined ? "–" : decimals(distance(line, side, ticks), 1)));
  const [bid, ask] = [line.levels(0)[0], line.levels(1)[0]];
  const spread = bid && ask ? `market spread ${decimals(((ask[0] - bid[0]) * 20000) / (ask[0] + bid[0]), 1)} bps` : "a side of the book is empty";
  const twice = line.values.quotes?.mid_x2;
  const mid = twice ? `mid ${half(twice)}` : "no mid";
  answer("distance", ours.some((each) => each !== undefined) ? `${bps[0]} / ${bps[1]} bps` : "–", `${mid} · ${spread}`, "none");
}

function position(line) {
  const money = line.values.money, risk = line.values.risk;
  const told = money?.maker?.position ?? null;
  const held = told ?? money?.day?.position ?? null; // of a maker that is away: what its trades have left open
  const use = risk?.position_use;
  const twice = line.values.quotes?.mid_x2;
  const [units, places] = line.hello.tick;
  const worth = held && twice ? Number(held) * ((twice / 2) * units) / 10 ** places : null;
  const text = held === null ? "–" : Number(held) ? `${exact(held, true)} ${line.hello.base}` : "flat";
  const isHere = line.values.quoting?.symbol === line.hello.symbol;
  if (!isHere) return answer("position", "–", line.values.quoting ? "no maker of this pair" : "no supervisor has told of it", "none");
  const limit = use ? `${decimals(100 * use, 0)} % of its limit` : "";
  const by = told === null && held !== null ? `by the books, ${readAgo(line)}` : "";
  const more = [worth === null ? "" : `worth ${decimals(worth, 2, true)} ${line.hello.quote}`, limit, by].filter(Boolean);
  answer("position", text, more.join(" · ") || "the maker does not tell", use >= 0.8 ? "warn" : "none");
}

function readAgo(line) {
  return `read ${age(line.now - line.values.money.day.read_ms)} ago`;
}

// What the result is made of, and of what it is where that is not this pair, live.
function whyResult(line, day, told, why) {
  const of = line.values.quoting?.symbol ?? line.hello.symbol;
  const made = told.some(([word]) => word === "spread")
    ? why.join(" · ")
    : !day ? "the account was not read" : day.trades ? "not known what it is made of" : "nothing has traded yet today";
  const by = day && line.values.money.gained === null ? readAgo(line) : "";
  return [of === line.hello.symbol ? "" : `of ${of}`, made, by].filter(Boolean).join(" · ");
}

function result(line) {
  const money = line.values.money, day = money?.day;
  if (!money) return answer("result", "–", "", "none");
  const total = money.gained ?? day?.marked_pnl ?? null;
  const parts = day ? [["spread", "spread_capture"], ["inventory", "inventory_pnl"], ["fees", "fees"]] : [];
  const told = parts.filter(([, name]) => day[name] !== null);
  const why = told.map(([word, name]) => `${word} ${decimals(name === "fees" ? -day[name] : day[name], 2, true)}`);
  const kind = total === null || Math.abs(total) < 0.005 ? "none" : total > 0 ? "good" : "bad";
  answer("result", total === null ? "–" : `${decimals(total, 2, true)} ${line.hello.result_asset}`, whyResult(line, day, told, why), kind);
}

function health(line) {
  const [state] = line.state;
  const troubles = [...new Set((line.values.troubles ?? []).map(([, text]) => text))]; // two streams may fail alike
  const risk = line.values.risk;
  if (risk?.halted?.length) troubles.push(`halted: ${risk.halted.join(", ")}`);
  if (risk?.withdrawn) troubles.push(`withdrawn: ${risk.withdrawn.stage}, ${risk.withdrawn.why}`);
  if (state === "stale" || state === "connecting" || state === "refused") {
    const why = [...new Set([line.state[1].replace("STALE: ", ""), ...troubles])];
    return answer("health", state === "stale" ? "Stale" : "No line", why.slice(0, 3).join(" · "), "bad");
  }
  const nodes = line.values.nodes ?? [];
  const well = nodes.length ? `${nodes.length} nodes ready, all sources fresh` : "all sources fresh";
  answer("health", troubles.length ? "Look here" : "All well", troubles.join(" · ") || well, troubles.length ? "bad" : "good");
}

export function drawStrip(line, price, half) {
  quoting(line, price);
  distances(line, half);
  position(line);
  result(line);
  health(line);
}
