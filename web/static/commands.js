// Halt, resume, flatten: with the desk's token, and what the command says as it goes on.
import { clock, moment } from "./numbers.js";
import { element, setText } from "./rows.js";

const KINDS = {
  halt: ["Halt", "No new orders are taken from anybody, and the maker cancels its quotes. It stays so over restarts."],
  resume: ["Resume", "New orders are taken again, and a maker that has withdrawn quotes again."],
  flatten: ["Flatten", "The maker is stopped, its orders are cancelled, and what is held is traded in slices. It quotes again after: python cli.py start maker."],
};

const LOST = "what became of it is not known here: the api was started again";

export class Commands {
  constructor(symbol) {
    this.symbol = symbol;
    this.kind = null;
    this.dialog = element("command");
    this.token = sessionStorage.getItem("token") ?? "";
    for (const [kind, [word]] of Object.entries(KINDS)) {
      const button = document.createElement("button");
      button.type = "button";
      button.id = `give-${kind}`;
      button.textContent = kind === "flatten" ? `${word} ...` : word;
      button.addEventListener("click", () => this.ask(kind));
      element("commands").append(button);
    }
    element("command-form").addEventListener("submit", (event) => this.submit(event));
    element("command-close").addEventListener("click", () => this.dialog.close());
    element("command-typed").addEventListener("input", () => this.allow());
    element("command-token").addEventListener("change", () => this.takeToken());
    this.dialog.addEventListener("close", () => (this.kind = this.asked = null));
  }

  ask(kind) {
    if (this.dialog.open) return;
    this.kind = kind;
    this.wanted = this.asked = null;
    const [word, what] = KINDS[kind];
    setText(element("command-title"), `${word} ${this.symbol}`);
    setText(element("command-what"), what);
    setText(element("command-give"), word);
    setText(element("command-lines"), "");
    setText(element("command-error"), "");
    setText(element("command-state"), "");
    this.isPreviewed = false;
    element("command-all-row").hidden = kind !== "halt";
    element("command-all").checked = false;
    element("command-typed-row").hidden = kind !== "flatten";
    element("command-typed").value = "";
    element("command-token-row").hidden = Boolean(this.token);
    setText(element("command-typed-label"), `Type ${this.symbol} to go on`);
    this.allow();
    this.dialog.showModal();
    if (kind === "flatten" && this.token) this.post("preview", {});
  }

  // A flatten is allowed when what it would do is known, and its symbol is typed.
  allow() {
    const isTyped = element("command-typed").value.trim().toUpperCase() === this.symbol;
    element("command-give").disabled = this.kind === "flatten" && !(isTyped && this.isPreviewed);
  }

  takeToken() {
    this.token = element("command-token").value.trim();
    if (this.kind === "flatten" && this.token) this.post("preview", {});
  }

  submit(event) {
    event.preventDefault();
    if (!element("command-token-row").hidden) this.token = element("command-token").value.trim();
    if (this.kind === "flatten") this.post("flatten", { typed: element("command-typed").value.trim().toUpperCase() });
    else this.post(this.kind, this.kind === "halt" ? { cancel_all: element("command-all").checked } : {});
  }

  async post(name, more) {
    const asked = (this.asked = {}); // an answer that comes when another question stands there is not shown
    setText(element("command-error"), "");
    setText(element("command-state"), "asking ...");
    this.wanted = null;
    if (name === "preview") this.isPreviewed = false;
    this.allow();
    try {
      const response = await fetch(`/api/commands/${name}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Desk-Token": this.token },
        body: JSON.stringify({ symbol: this.symbol, ...more }),
      });
      const answer = await response.json();
      if (asked !== this.asked) return;
      if (!response.ok) throw new Error(answer.error);
      sessionStorage.setItem("token", this.token);
      element("command-token-row").hidden = true;
      this.wanted = answer.number;
      if (this.told) this.drawDialog(this.told);
    } catch (error) {
      if (asked !== this.asked) return;
      const text = error instanceof TypeError ? "the api does not answer" : error.message;
      setText(element("command-error"), text);
      setText(element("command-state"), "");
      if (text.startsWith("the token")) {
        this.token = "";
        sessionStorage.removeItem("token");
        element("command-token-row").hidden = false;
        element("command-token").focus();
      }
    }
  }

  // What the last command says, whoever gave it, and the one before it that a halt has not waited for.
  draw(told, now) {
    const before = this.told;
    this.told = told;
    const line = (each, state) => `${moment(each.began_ms, now)} ${each.words.join(" ")}: ${state}`;
    if (told) {
      setText(element("last-command"), [told, told.before].filter(Boolean).map((each) => line(each, stateOf(each))).join("; "));
      this.drawDialog(told);
    } else if (before) {
      const states = [before, before.before].filter(Boolean).map((each) => line(each, each.exit_code === null ? LOST : stateOf(each)));
      setText(element("last-command"), states.join("; "));
      if (this.wanted) setText(element("command-state"), LOST);
      this.wanted = null;
    }
  }

  drawDialog(last) {
    const told = [last, last.before].find((each) => each?.number === this.wanted);
    if (!this.dialog.open || !told) return;
    const isDone = told.exit_code !== null, state = stateOf(told);
    setText(element("command-lines"), [...told.lines, isDone && told.exit_code ? state : ""].filter(Boolean).join("\n"));
    if (told.name === "preview") this.isPreviewed = told.exit_code === 0;
    else if (isDone) element("command-lines").focus();
    this.allow();
    element("command-give").disabled ||= !isDone;
    setText(element("command-state"), told.name === "preview" && isDone ? `this is what it would do now, at ${clock(told.began_ms)}` : state);
  }
}

function stateOf(told) {
  if (told.exit_code === null) return "is carried out ...";
  return told.exit_code ? `failed, exit code ${told.exit_code}` : "done";
}
