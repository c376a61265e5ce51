// Alerts that stand, what was told of late, and the nodes' logs.
import { moment } from "./numbers.js";
import { drawRows, element, setClass, setText } from "./rows.js";

const LOGS_MS = 2000;

export function drawEvents(line) {
  const told = line.values.alerts ?? { standing: [], last: [] };
  const list = element("standing-alerts");
  while (list.children.length > told.standing.length) list.lastChild.remove();
  told.standing.forEach(({ severity, text }, at) => {
    const row = list.children[at] ?? list.appendChild(document.createElement("li"));
    setText(row, `${severity}: ${text}`);
    setClass(row, severity);
  });
  const rows = told.last.map(({ time, state, severity, text }) => {
    const when = time === null ? "–" : moment(Date.parse(time), line.now);
    return { cells: [when, text], kind: state === "ends" ? "over" : severity };
  });
  drawRows(element("events").querySelector("tbody"), rows);
  element("report-today").href = `/reports/${new Date(line.now).toISOString().slice(0, 10)}`;
}

// The last lines of a node's log, for as long as the dialog is open.
export class Logs {
  constructor() {
    this.dialog = element("logs");
    this.select = element("logs-node");
    element("logs-open").addEventListener("click", () => this.open());
    this.select.addEventListener("change", () => this.look(true));
    this.dialog.addEventListener("close", () => clearTimeout(this.next));
  }

  open() {
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.look(true);
  }

  async look(isOther = false) {
    clearTimeout(this.next);
    const node = this.select.value, pane = element("logs-lines");
    try {
      const response = await fetch(`/api/logs?node=${encodeURIComponent(node)}`);
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      if (!this.dialog.open || node !== this.select.value) return;
      const isBegun = this.select.options.length > 0, known = [...this.select.options].map((each) => each.value);
      if (known.join() !== answer.logs.join()) {
        const chosen = answer.logs.includes(node) ? node : answer.logs.includes("maker") ? "maker" : answer.logs[0];
        this.select.replaceChildren(...answer.logs.map((name) => new Option(name, name, false, name === chosen)));
        if (!isBegun && answer.logs.length) return void this.look(true);
      }
      const isAtEnd = isOther || pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 4;
      setText(pane, answer.lines.join("\n"));
      if (isAtEnd) pane.scrollTop = pane.scrollHeight;
      setText(element("logs-state"), answer.lines.length ? `the last ${answer.lines.length} lines` : "it is empty");
    } catch (error) {
      setText(element("logs-state"), error instanceof TypeError ? "the api does not answer; what stands here is old" : error.message);
    }
    if (this.dialog.open) this.next = setTimeout(() => this.look(), LOGS_MS);
  }
}
