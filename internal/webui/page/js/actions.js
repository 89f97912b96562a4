// What can be done with a session, wherever it is listed.
import { address } from "./app.js";
import { confirmed, dialog, field, menu } from "./dialog.js";
import { h } from "./dom.js";
import { title } from "./format.js";

const LEVELS = ["off", "minimal", "low", "medium", "high", "xhigh", "adaptive"];

export class Actions {
  #app;
  #undo = null;

  constructor(app) {
    this.#app = app;
  }

  /** undo takes the last deletion back, as long as its notice is there. */
  undo() {
    this.#undo?.();
  }

  /** menu opens what can be done with a session. */
  menu(anchor, row) {
    const app = this.#app;
    const main = row.key === app.mainKey;
    menu(anchor, `Session ${title(row)}`, [
      { text: "Name and settings…", icon: "gear", run: () => this.settings(row) },
      { text: "Copy the key", icon: "copy", run: () => this.copy(row.key, "The key") },
      { text: "Continue in a copy", icon: "fork", run: () => this.fork(row.key) },
      { text: "Start anew…", icon: "reset", run: () => this.reset(row) },
      null,
      { text: "Delete", icon: "trash", kind: "danger", disabled: main, title: main ? "The main session cannot be deleted; it can start anew." : "", run: () => this.remove(row) },
    ]);
  }

  async create() {
    const app = this.#app;
    const label = h("input", { type: "text", maxlength: 512, autocomplete: "off", autofocus: true });
    const agents = h("select", {}, [...app.agents.keys()].map((id) => h("option", { value: id, selected: id === app.agentDefault }, app.agentName(id))));
    await dialog({
      title: "New session",
      body: [field("Name", label, "May stay empty."), app.agents.size > 1 && field("Agent", agents)],
      actions: [{ text: "Cancel", value: null }, { text: "Begin", value: true, kind: "primary", submit: true }],
      stay: async () => {
        try {
          const params = {};
          if (label.value.trim()) params.label = label.value.trim();
          if (app.agents.size > 1) params.agentId = agents.value;
          const { key } = await app.call("sessions.create", params);
          app.write = key;
          location.hash = address(key);
          return "";
        } catch (error) {
          return error.message;
        }
      },
    });
  }

  /** settings changes the name, model and thinking level of a session. */
  async settings(row) {
    const app = this.#app;
    const label = h("input", { type: "text", maxlength: 512, autocomplete: "off", value: row.label ?? "", autofocus: true });
    const current = row.modelProvider ? `${row.modelProvider}/${row.model}` : "";
    const names = app.models.map((m) => `${m.provider}/${m.id}`);
    if (current && !names.includes(current)) names.unshift(current);
    const model = h("select", {}, names.map((name) => h("option", { value: name, selected: name === current }, name)));
    const level = h("select", {}, ["", ...LEVELS].map((l) => h("option", { value: l, selected: l === (row.thinkingLevel ?? "") }, l || "as configured")));
    await dialog({
      title: "Name and settings",
      body: [field("Name", label), field("Model", model), field("Thinking", level), h("p", { class: "key" }, row.key)],
      actions: [{ text: "Cancel", value: null }, { text: "Save", value: true, kind: "primary", submit: true }],
      stay: async () => {
        const params = { key: row.key };
        if (label.value.trim() !== (row.label ?? "")) params.label = label.value.trim() || null;
        if (model.value !== current) params.model = model.value;
        if (level.value !== (row.thinkingLevel ?? "")) params.thinkingLevel = level.value || null;
        if (Object.keys(params).length === 1) return "";
        return app.call("sessions.patch", params).then(() => "", (error) => error.message);
      },
    });
  }

  async copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      this.#app.toasts.show(`${what} was copied.`, { life: 2500 });
    } catch (error) {
      this.#app.fail("Copying", error);
    }
  }

  async fork(key, entryId) {
    const app = this.#app;
    const made = await app.attempt("sessions.fork", entryId ? { sessionKey: key, entryId } : { sessionKey: key }, "Copying the conversation");
    if (!made) return;
    app.write = made.key;
    location.hash = address(made.key);
    app.toasts.show("This is a copy of the conversation; the other one stays as it is.");
  }

  async reset(row) {
    const sure = await confirmed("Start anew?", `“${title(row)}” begins with an empty conversation. What was said goes to the archive and can be restored from there.`, "Start anew");
    if (sure) await this.#app.attempt("sessions.reset", { key: row.key }, "Starting anew");
  }

  /** remove deletes at once, and offers to take that back. */
  async remove(row) {
    const app = this.#app;
    const shown = app.route.key === row.key;
    const params = { key: row.key };
    if (row.sessionId) params.expectedSessionId = row.sessionId;
    const answer = await app.attempt("sessions.delete", params, "Deleting");
    if (!answer?.deleted) return;
    if (shown) location.hash = "#/";
    const undo = async () => {
      this.#undo = null;
      gone();
      if ((await this.#bringBack(row, answer.archived)) && shown) location.hash = address(row.key);
    };
    const gone = app.toasts.show(`“${title(row)}” was deleted. It stays in the archive.`, { action: { text: "Undo", run: undo } });
    this.#undo = undo;
  }

  /** #bringBack restores a deleted session; one that had no messages has no archive, and is made again. */
  async #bringBack(row, archived) {
    const app = this.#app;
    if (archived.length > 0) return this.restore({ archive: archived[0], key: row.key });
    const made = await app.attempt("sessions.create", { key: row.key, ...(row.label && { label: row.label }) }, "Bringing the session back");
    if (made) app.announce("The session is back.");
    return made;
  }

  /** restore makes an archive a conversation again. */
  async restore({ archive, key }) {
    const app = this.#app;
    const answer = await app.attempt("sessions.restore", key ? { archive, key } : { archive }, "Restoring");
    if (!answer) return undefined;
    app.announce("The session is back.");
    if (answer.labelTaken) app.toasts.show(`Its name “${answer.labelTaken}” belongs to another session by now, so it came back without.`);
    return answer;
  }
}
