// Commands of agents that wait for a person's word.
import { dialog } from "./dialog.js";
import { h } from "./dom.js";

export class Approvals {
  #app;
  #open = new Map(); // id → what ends the dialog
  #queue = Promise.resolve();

  constructor(app) {
    this.#app = app;
    app.on("exec.approval.requested", (e) => (this.#queue = this.#queue.then(() => this.#ask(e))));
    app.on("exec.approval.resolved", ({ id }) => this.#open.get(id)?.(null));
    app.on("status", ({ state }) => state === "waiting" && this.#open.forEach((end) => end(null)));
  }

  async #ask({ id, request = {}, expiresAtMs }) {
    if (expiresAtMs && expiresAtMs < Date.now()) return;
    const facts = [["Session", request.sessionKey], ["Directory", request.cwd], ["On", request.host], ["Agent", request.agentId]].filter(([, value]) => value);
    const decision = await dialog({
      title: "May this command run?",
      body: [h("pre", { class: "command", tabIndex: 0 }, request.command ?? request.title ?? JSON.stringify(request, null, 2)), h("dl", { class: "figures" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))],
      actions: [{ text: "Deny", value: "deny" }, { text: "Always", value: "allow-always" }, { text: "Once", value: "allow-once", kind: "primary" }],
      onOpen: (end) => this.#open.set(id, end),
    });
    this.#open.delete(id);
    if (decision) await this.#app.attempt("exec.approval.resolve", { id, decision }, "Deciding");
  }
}
