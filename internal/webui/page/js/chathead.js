// The line above a conversation: its name, model and size, and what can be done.
import { fill, h, icon, iconButton, show } from "./dom.js";
import { keyRest, number, short, title } from "./format.js";

export class ChatHead {
  #title = h("h1", {});
  #key = h("span", { class: "key" });
  #model = h("span", {});
  #count = h("span", {});
  #context = h("span", { class: "context" });
  #state = h("span", { class: "chip-state" });
  el;

  /** acts: first(), last(), menu(anchor), settings(). */
  constructor(acts) {
    const more = iconButton("more", "What can be done with this session", () => acts.menu(more));
    this.el = h(
      "header",
      { class: "chat-head" },
      h("a", { class: "icon-button back", href: "#/", "aria-label": "Back to the sessions" }, icon("back")),
      h("div", { class: "chat-title" }, h("div", { class: "title-line" }, this.#title, this.#state), h("p", { class: "sub" }, this.#key, this.#model, this.#count, this.#context)),
      h("div", { class: "chat-acts" }, iconButton("top", "To the first message (Home)", acts.first), iconButton("gear", "Name and settings", acts.settings), more),
    );
  }

  /** show brings the line up to date with a session's row and run. */
  show(row, run) {
    show(this.#title, row.key ? title(row) : "");
    show(this.#key, keyRest(row.key));
    this.#key.title = row.key;
    this.#key.hidden = title(row) === keyRest(row.key);
    show(this.#model, row.model ? (row.modelProvider === row.model ? row.model : `${row.modelProvider}/${row.model}`) : "");
    this.#showContext(row);
    const state = run ? "running" : row.status === "failed" ? "failed" : "";
    this.#state.className = `chip-state ${state}`;
    show(this.#state, { running: "Answering", failed: "Last answer failed" }[state] ?? "");
  }

  #showContext({ totalTokens, contextTokens }) {
    if (!totalTokens || !contextTokens) {
      this.#context.replaceChildren();
      return;
    }
    const text = `${short(totalTokens)} of ${short(contextTokens)} tokens`;
    fill(this.#context, h("meter", { min: 0, max: contextTokens, value: totalTokens, high: contextTokens * 0.85, "aria-label": `Context used: ${text}` }), h("span", { "aria-hidden": "true" }, text));
  }

  setCount(n) {
    show(this.#count, n ? `${number(n)} ${n === 1 ? "message" : "messages"}` : "");
  }
}
