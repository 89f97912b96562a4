// What resets and deletions have set aside, to be restored.
import { address } from "./app.js";
import { button, fill, h, icon, show } from "./dom.js";
import { ago, bytes, count, exactly, keyRest } from "./format.js";

const PAGE = 50;

export class Archive {
  #app;
  #actions;
  #list = h("ul", { class: "archives" });
  #note = h("p", { class: "side-note", role: "status" });
  #more;
  #next = 0;
  #shown = false;
  #later = null;
  el;

  constructor(app, actions) {
    this.#app = app;
    this.#actions = actions;
    this.#more = button("Show more", () => this.#read(this.#next), { kind: "quiet more", hidden: true });
    this.el = h("section", { class: "view", tabIndex: 0, "aria-labelledby": "archive-title" }, h("h1", { id: "archive-title" }, "Archive"), h("p", { class: "lead" }, "Conversations that were deleted, or set aside when a session started anew. A restored one is a session again, with its name and settings."), this.#note, this.#list, this.#more);
    app.on("connected", () => this.#shown && this.#read(0));
    app.on("sessions.changed", (e) => this.#shown && ["delete", "reset", "create"].includes(e.reason) && this.#soon());
  }

  show(shown) {
    this.#shown = shown;
    if (shown) this.#read(0);
  }

  #soon() {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.#read(0), 300);
  }

  async #read(offset) {
    if (!this.#app.conn.connected) return;
    try {
      const answer = await this.#app.call("sessions.archives", { limit: PAGE, offset });
      if (offset === 0) this.#list.replaceChildren();
      this.#list.append(...answer.archives.map((a) => this.#row(a)));
      this.#next = answer.nextOffset ?? 0;
      this.#more.hidden = !answer.hasMore;
      show(this.#note, answer.totalCount === 0 ? "The archive is empty." : count(answer.totalCount, "conversation"));
    } catch (error) {
      show(this.#note, `The archive could not be read: ${error.message}`);
    }
  }

  #row(a) {
    const name = a.label || a.displayName || a.title || (a.key ? keyRest(a.key) : a.sessionId);
    const restore = button("Restore", () => this.#restore(a, name), { icon: "reset", "aria-label": `Restore ${name}`, disabled: !a.key, title: a.key ? "" : "It is not recorded which session this was: restore it with parley call sessions.restore." });
    const el = h("li", {}, icon(a.reason === "deleted" ? "trash" : "reset"), h("div", {}, h("strong", {}, name), h("p", {}, fill(h("span", {}), a.reason === "deleted" ? "Deleted " : "Set aside ", h("time", { title: exactly(a.archivedAt) }, ago(a.archivedAt) === "now" ? "just now" : ago(a.archivedAt) + " ago"), ` · ${bytes(a.size)}`, a.key ? ` · ${keyRest(a.key)}` : ""))), restore);
    return el;
  }

  async #restore(a, name) {
    const answer = await this.#actions.restore({ archive: a.archive, key: a.key });
    if (!answer) return;
    this.#app.toasts.show(`“${name}” is a session again.`, { action: { text: "Open", run: () => (location.hash = address(answer.key)) } });
    this.#read(0);
  }
}
