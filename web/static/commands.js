// Halt, resume, flatten: with the desk's token, and what the command says as it goes on.
import { clock } from "./numbers.js";
import { element, setText } from "./rows.js";

const KINDS = {
  halt: ["Halt", "No new orders are taken from anybody, and the maker cancels its quotes. It stays so over restarts."],
  resume: ["Resume", "New orders are taken again, and a maker that has withdrawn quotes again."],
  flatten: ["Flatten", "The maker is stopped, its orders are cancelled, and what is held is traded in slices. It quotes again after: python cli.py start maker."],
};

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
    this.dialog.addEventListener("close", () => (this.kind = null));
  }

  ask(kind) {
    if (this.dialog.open) return;
    this.kind = kind;
    this.wanted = null;
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
      if (!response.ok) throw new Error(answer.error);
      sessionStorage.setItem("token", this.token);
      element("command-token-row").hidden = true;
      this.wanted = answer.number;
      if (this.told) this.draw(this.told);
    } catch (error) {
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

  // What the last command says, whoever gave it.
  draw(told) {
    this.told = told;
    const isDone = told.exit_code !== null;
    const state = isDone ? (told.exit_code ? `failed, exit code ${told.exit_code}` : "done") : "is carried out ...";
    setText(element("last-command"), `${clock(told.began_ms)} ${told.words.join(" ")}: ${state}`);
    if (!this.dialog.open || told.number !== this.wanted) return;
    setText(element("command-lines"), [...told.lines, isDone && told.exit_code ? state : ""].filter(Boolean).join("\n"));
    if (told.name === "preview") this.isPreviewed = told.exit_code === 0;
    else if (isDone) element("command-lines").focus();
    this.allow();
    element("command-give").disabled ||= !isDone;
    setText(element("command-state"), told.name === "preview" && isDone ? "this is what it would do now" : state);
  }
}
