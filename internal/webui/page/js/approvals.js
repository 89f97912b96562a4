// Commands of agents that wait for a person's word.
import { dialog } from "./dialog.js";
import { h } from "./dom.js";

export class Approvals {
  #app;
  #open = new Map(); // id → what ends the dialog
  #asked = new Set(); // ids in the queue or shown
  #queue = Promise.resolve();

  constructor(app) {
    this.#app = app;
    app.on("exec.approval.requested", (e) => this.#put(e));
    app.on("exec.approval.resolved", ({ id }) => this.#end(id));
    app.on("status", ({ state }) => state === "waiting" && [...this.#asked].forEach((id) => this.#end(id)));
    app.on("connected", () => this.#load());
  }

  /** #load asks what waits already: the page may have come, or come back, after the question. */
  async #load() {
    const waiting = await this.#app.call("exec.approval.list", {}).catch(() => []); // an older gateway has none
    waiting.forEach((e) => this.#put(e));
  }

  #put(e) {
    if (this.#asked.has(e.id)) return;
    this.#asked.add(e.id);
    this.#queue = this.#queue.then(() => this.#ask(e));
  }

  /** #end takes a question back that somebody else has answered, or that nobody can answer now. */
  #end(id) {
    this.#asked.delete(id);
    this.#open.get(id)?.(null);
  }

  async #ask({ id, request = {}, expiresAtMs }) {
    if (!this.#asked.has(id) || (expiresAtMs && expiresAtMs < Date.now())) return;
    const facts = [["Session", request.sessionKey], ["Directory", request.cwd], ["On", request.host], ["Agent", request.agentId]].filter(([, value]) => value);
    const decision = await dialog({
      title: "May this command run?",
      body: [h("pre", { class: "command", tabIndex: 0 }, request.command ?? request.title ?? JSON.stringify(request, null, 2)), h("dl", { class: "figures" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))],
      actions: [{ text: "Deny", value: "deny" }, { text: "Always", value: "allow-always" }, { text: "Once", value: "allow-once", kind: "primary" }],
      onOpen: (end) => this.#open.set(id, end),
    });
    this.#open.delete(id);
    this.#asked.delete(id);
    if (decision) await this.#app.attempt("exec.approval.resolve", { id, decision }, "Deciding");
  }
}
