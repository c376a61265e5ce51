// The desk: what the result is made of, how near its limits are, and its nodes.
import { age, decimals, exact, percent } from "./numbers.js";
import { drawRows, drawTerms, element, setClass, setText } from "./rows.js";

const GOOD_STATES = ["ready", "stopped"];

export function drawMoney(line) {
  const money = line.values.money, day = money?.day, quote = line.hello.result_asset;
  const section = element("money");
  const missing = section.querySelector(".empty");
  missing.hidden = Boolean(day);
  setText(missing, (line.values.nodes ?? []).some((row) => row.kind === "tracker") ? "the tracker has not read the account yet" : "no tracker tells of it");
  if (!day) return drawTerms(section.querySelector("dl"), []);
  const amount = (value) => (value === null || value === undefined ? "–" : decimals(value, 2, true));
  const fees = day.fees === null ? null : -day.fees;
  const terms = [
    ["spread captured", amount(day.spread_capture)],
    ["inventory", amount(day.inventory_pnl)],
    ["fees", amount(fees)],
    ["result", day.marked_pnl === null ? "–" : `${amount(day.marked_pnl)} ${quote}`, "sum"],
    ["of it realized, net", amount(day.pnl)],
    ["open, at the mid", amount(day.unrealized)],
    [`equity of ${(day.equity_assets ?? []).join(" + ") || "the pair"}`, day.equity === null ? "–" : `${decimals(day.equity, 2)} ${day.equity_asset}`],
    ["trades", `${day.trades}: ${day.buys} buys, ${day.sells} sells`],
    ["two-sided", `${percent(money.maker.presence)}${money.maker.presence ? ` of ${decimals(money.maker.presence_minutes?.[1], 0)} min today` : ""}`],
  ];
  drawTerms(section.querySelector("dl"), terms);
}

export function drawMoneyAge(line) {
  const read = line.values.money?.day?.read_ms;
  setText(element("money-age"), read ? `read ${age(line.now - read)} ago` : "");
}

function bound(name, value, most, unit) {
  const number = value === null || value === undefined ? null : Number(value);
  const limit = most === null || most === undefined ? null : Number(most);
  const share = number === null || !limit ? 0 : Math.min(1, Math.max(0, number / limit));
  const said = number === null ? "–" : limit === null ? `${decimals(number, 2)} ${unit}` : `${decimals(Math.max(0, number), 2)} of ${decimals(limit, 0)} ${unit}`;
  return { name, said, share };
}

export function drawRisk(line) {
  const risk = line.values.risk;
  const standing = element("standing");
  if (!risk) {
    setText(standing, "no supervisor has told of it");
    setClass(standing, "");
    return element("bounds").replaceChildren();
  }
  const isHalted = risk.halted.length > 0;
  const text = isHalted
    ? `HALTED: ${risk.halted.join(", ")}. No new orders until somebody resumes.`
    : risk.withdrawn
      ? `WITHDRAWN, ${risk.withdrawn.stage}: ${risk.withdrawn.why}, since ${risk.withdrawn.since.slice(0, 19).replace("T", " ")}`
      : "Trading. Nothing is halted, nothing withdrawn.";
  setText(standing, text);
  setClass(standing, isHalted || risk.withdrawn ? "bad" : "good");
  const use = risk.position_use;
  const rows = [
    bound("lost today", risk.lost_today, risk.loss_max, line.hello.result_asset),
    bound("below the peak", risk.below_peak, risk.drawdown_max, line.hello.result_asset),
    { name: "position", said: use ? `${decimals(100 * use, 0)} % of its limit` : "–", share: Math.min(1, Number(use ?? 0)) },
  ];
  const box = element("bounds");
  rows.forEach(({ name, said, share }, at) => {
    if (!box.children[at]) {
      const row = document.createElement("p");
      row.append(document.createElement("span"), document.createElement("meter"), document.createElement("span"));
      row.children[1].setAttribute("aria-label", name);
      Object.assign(row.children[1], { max: 1, low: 0.5, high: 0.8, optimum: 0 });
      box.append(row);
    }
    const [label, meter, value] = box.children[at].children;
    setText(label, name);
    if (meter.value !== share) meter.value = share;
    setText(value, said);
  });
}

function figures(row) {
  return Object.entries(row.figures).map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? decimals(value, 0) : exact(value)}`).join(" · ");
}

export function drawNodes(line) {
  const rows = (line.values.nodes ?? []).map((row) => ({
    cells: [row.node, row.state + (row.restarts ? `, ${row.restarts} restarts` : ""), row.why || row.doing || figures(row)],
    kind: GOOD_STATES.includes(row.state) ? row.state : "bad",
  }));
  drawRows(element("nodes").querySelector("tbody"), rows);
}

// How old each source is, and when it is called stale; what is wrong stands in its row, as it does in Health.
export function drawSources(line) {
  const told = line.values.sources;
  const troubles = new Map(line.values.troubles ?? []);
  const rows = Object.entries(told?.ages_ms ?? {}).map(([name, ms]) => {
    const limit = told.limits_ms[name], trouble = troubles.get(name);
    const heard = ms === null ? "never heard" : age(ms);
    return { cells: [name, trouble ? `${heard}: ${trouble}` : heard, limit === null ? "–" : age(limit)], kind: trouble ? "bad" : "" };
  });
  drawRows(element("sources").querySelector("tbody"), rows);
  if (!told) return;
  const feed = `feed ${decimals(told.feed.sequence, 0)}, ${told.feed.gaps ? `${told.feed.gaps} gaps mended` : "no gap"}`;
  const waiting = told.journal?.waiting ? `, ${decimals(told.journal.waiting, 0)} not acknowledged` : "";
  setText(element("sequences"), told.journal ? `${feed} · journal ${decimals(told.journal.records, 0)}${waiting}` : feed);
  setText(element("sources-note"), Object.entries(told.notes).map(([name, note]) => `${name}: ${note}`).join(" · "));
}
