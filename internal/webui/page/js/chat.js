// The view of one conversation.
import { ChatHead } from "./chathead.js";
import { Composer } from "./composer.js";
import { button, fill, h } from "./dom.js";
import { agentOf, cut } from "./format.js";
import { drawRow, emptyThread, showStream } from "./message.js";
import { Scroller } from "./scroller.js";
import { Thread, textOf } from "./thread.js";

export class Chat {
  #app;
  #actions;
  #key = undefined;
  #thread = null;
  #row = null;
  #head;
  #composer;
  #viewport;
  #list;
  #scroller;
  #down;
  #cover;
  #unseen = 0;
  #frame = 0;
  el;

  constructor(app, actions) {
    this.#app = app;
    this.#actions = actions;
    this.#head = new ChatHead({ first: () => this.first(), last: () => this.#scroller.toEnd(), menu: (anchor) => actions.menu(anchor, this.#known()), settings: () => actions.settings(this.#known()) });
    this.#composer = new Composer({ send: (...a) => this.#send(...a), stop: () => this.stop(), tell: (text) => app.toasts.show(text, { bad: true }) });
    this.#list = h("div", { class: "thread", role: "feed", "aria-label": "Conversation", "aria-busy": "false" });
    this.#viewport = h("div", { class: "viewport", tabIndex: 0, role: "region", "aria-label": "Messages", on: { keydown: (e) => this.#pressed(e) } }, this.#list);
    this.#down = button("Latest", () => this.#scroller.toEnd(), { icon: "down", kind: "float", hidden: true });
    this.#cover = h("div", { class: "cover" });
    this.el = h("section", { class: "chat", "aria-label": "Conversation" }, this.#head.el, h("div", { class: "stage" }, this.#viewport, this.#cover, this.#down), this.#composer.el);
    const chat = this;
    this.#scroller = new Scroller(this.#viewport, this.#list, {
      get count() {
        return chat.#thread?.count ?? 0;
      },
      key: (i) => this.#thread.key(i),
      draw: (i) => drawRow(this.#thread.row(i), { index: i, count: this.#thread.count }, this.#names(), this.#acts),
      seen: (first, last) => this.#thread.want(Math.max(0, first - 20), Math.min(this.#thread.count - 1, last + 20)),
      ends: (atEnd) => this.#ends(atEnd),
    });
    this.#drop();
    this.#listen();
  }

  #acts = {
    copy: (text) => this.#actions.copy(text, "The text"),
    fork: (id) => this.#actions.fork(this.#key, id),
    retry: (id) => this.#app.outbox.again(id),
    discard: (id) => this.#app.outbox.remove(id),
    edit: (id) => {
      const entry = this.#app.outbox.remove(id);
      if (entry) this.#composer.put(entry.text, entry.attachments);
    },
    reread: () => this.#thread.retry(),
  };

  #names() {
    return { assistant: this.#app.agentName(agentOf(this.#key)) };
  }

  #known() {
    return this.#row ?? { key: this.#key };
  }

  get key() {
    return this.#key;
  }

  #listen() {
    const app = this.#app;
    app.on("connected", () => this.#key && this.#load());
    app.on("around", () => this.#thread && this.#scroller.redraw(this.#drawnKeys()));
    app.on("status", () => this.#state());
    app.on("session.message", (e) => this.#message(e));
    app.on("sessions.changed", (e) => e.sessionKey === this.#key && this.#changed(e));
    app.on("chat", (e) => e.sessionKey === this.#key && this.#chat(e));
    app.sessions.on("row", (row) => row.key === this.#key && this.#showRow(row));
    app.runs.on("change", (run, what) => run.key === this.#key && this.#run(run, what));
    app.outbox.on("change", (key) => key === this.#key && this.#stack());
    setInterval(() => this.#thread && !document.hidden && this.#app.runs.of(this.#key) && this.#stream(), 1000);
  }

  #drawnKeys() {
    return [...this.#list.children].map((el) => this.#thread.key(el.parleyRow));
  }

  /** open shows a session; null shows none. */
  open(key) {
    if (key === this.#key) return;
    this.#key = key;
    this.#row = key ? this.#app.sessions.get(key) ?? null : null;
    this.#thread = null;
    this.#scroller.clear();
    this.#unseen = 0;
    this.el.classList.toggle("none", !key);
    if (!key) {
      this.#show("Choose a session, or begin a new one.");
      this.#head.show({ key: "" }, undefined);
      return;
    }
    const app = this.#app;
    this.#thread = new Thread((page) => app.call("chat.history", { sessionKey: key, ...page }), (keys) => this.#redraw(keys));
    this.#head.show(this.#known(), app.runs.of(key));
    this.#composer.open(key);
    this.#state();
    this.#stack();
    if (app.conn.connected) this.#load();
  }

  focus() {
    this.#composer.focus();
  }

  /** #load reads the end of the conversation, and what is going on. */
  async #load() {
    const thread = this.#thread, key = this.#key;
    this.#list.setAttribute("aria-busy", "true");
    if (thread.count === 0) this.#show("Loading…");
    try {
      const waiting = this.#app.outbox.of(key).length > 0;
      const page = await thread.load(waiting ? 1000 : 100);
      if (thread !== this.#thread) return;
      if (page.inFlightRun) {
        this.#app.runs.inFlight(key, page.inFlightRun);
        this.#settleStored(key);
      }
      this.#match(thread);
      this.#checkAccepted(key);
      this.#show(thread.count ? "" : "Nothing was said here yet.");
      if (!this.#row) this.#app.sessions.fetch(key).catch(() => {});
    } catch (error) {
      if (thread === this.#thread && this.#app.conn.connected) this.#show(`The conversation could not be read: ${error.message}`);
    } finally {
      if (thread === this.#thread) this.#list.setAttribute("aria-busy", "false");
    }
  }

  /** #settleStored leaves out of a running answer what the transcript has of it. */
  #settleStored(key) {
    const said = [];
    for (const message of this.#thread.last()) {
      if (message.role === "user") break;
      if (message.role === "assistant") said.unshift(textOf(message));
    }
    for (const text of said) this.#app.runs.stored(key, text);
  }

  /** #match lets go of what was typed and is in the transcript by now. */
  #match(thread) {
    const users = [];
    for (const message of thread.last()) {
      if (message.role === "user") users.unshift({ seq: message.__openclaw.seq, text: textOf(message) });
      if (users.length >= 1000) break;
    }
    this.#app.outbox.match(this.#key, users);
  }

  /** #checkAccepted asks after messages that were accepted before the connection ended: their run may be over without a trace. */
  async #checkAccepted(key) {
    for (const entry of this.#app.outbox.of(key)) {
      if (entry.state !== "accepted") continue;
      const answer = await this.#app.call("agent.wait", { runId: entry.id, timeoutMs: 0 }).catch(() => null);
      if (answer && (answer.endedAt || answer.status !== "timeout")) this.#app.outbox.remove(entry.id);
    }
  }

  #redraw(keys) {
    if (!this.#thread) return;
    if (keys) this.#scroller.redraw(keys);
    else this.#scroller.refresh();
    if (this.#thread.count > 0) this.#show("");
    this.#head.setCount(this.#thread.total);
  }

  /** #show covers the conversation with a text, "" uncovers it. */
  #show(text) {
    this.#cover.hidden = !text;
    this.#list.setAttribute("role", text ? "group" : "feed"); // a feed without articles is none
    fill(this.#cover, text && emptyThread(text));
  }

  #showRow(row) {
    this.#row = row;
    this.#head.show(row, this.#app.runs.of(this.#key));
  }

  #state() {
    this.#composer.setState({ running: this.#key !== null && !!this.#app.runs.of(this.#key), connected: this.#app.conn.connected });
  }

  /** #message takes a message that was written to a transcript. */
  #message(event) {
    const text = textOf(event.message);
    this.#app.sessions.message(event.sessionKey, cut(text, 200));
    if (event.message.role === "assistant") this.#app.runs.stored(event.sessionKey, text);
    if (event.sessionKey !== this.#key) return;
    this.#thread.add(event.message, event.messageSeq ?? this.#thread.total, event.messageId);
    if (event.message.role === "user") this.#app.outbox.match(this.#key, [{ seq: event.messageId ? event.messageSeq : Infinity, text }]);
    if (!this.#scroller.atEnd) this.#ends(false, 1);
  }

  #changed(event) {
    if (event.reason === "reset" || event.reason === "compact") this.#thread.renew().then(() => this.#show(this.#thread.count ? "" : "Nothing was said here yet."), () => {});
    else if (event.reason === "create" && this.#thread.total === 0) this.#load();
  }

  /** #chat takes the end of a run, before the run itself is told. */
  #chat({ runId, state, message, errorMessage }) {
    if (state === "delta") return;
    const entry = this.#app.outbox.of(this.#key).find((e) => e.id === runId);
    const run = this.#app.runs.get(runId);
    if (state === "error" && !this.#lastFailed()) this.#thread.note({ id: `error-${runId}`, kind: "notice", tone: "bad", text: errorMessage ?? "The answer failed." });
    if (entry && state === "aborted" && !run) {
      this.#app.outbox.remove(entry.id);
      this.#thread.note({ id: `dropped-${runId}`, kind: "notice", text: `Not sent, for the answers were stopped: ${cut(entry.text, 200)}` });
    } else if (entry) {
      this.#app.outbox.remove(entry.id);
      this.#thread.load().catch(() => {}); // its message was told, and we have missed it
    }
    const says = state === "error" ? errorMessage : state === "aborted" ? "Stopped." : message?.content?.map((b) => b.text).join(" ");
    if (says) this.#app.announce(`${this.#names().assistant}: ${cut(says, 300)}`);
  }

  #lastFailed() {
    for (const message of this.#thread.last()) return message.stopReason === "error";
    return false;
  }

  #run(run, what) {
    if (what === "text") {
      this.#stream();
      return;
    }
    this.#stack();
    this.#state();
    this.#head.show(this.#known(), this.#app.runs.of(this.#key));
  }

  /** #stack puts what is not in the transcript below it: the answer that comes, and what waits. */
  #stack() {
    if (!this.#thread) return;
    const run = this.#app.runs.of(this.#key);
    const entries = this.#app.outbox.of(this.#key);
    const tail = entries.map((entry) => ({ id: `out-${entry.id}-${entry.state}-${!!run}`, kind: "pending", entry, busy: !!run && run.id !== entry.id }));
    if (run) {
      // What belongs to the run itself stands above its answer.
      const own = tail.findIndex((row) => row.entry.id === run.id);
      tail.splice(own + 1, 0, { id: `run-${run.id}`, kind: "stream", run });
    }
    this.#thread.restack(tail);
  }

  #stream() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const run = this.#key && this.#app.runs.of(this.#key);
      const el = run && this.#scroller.element(`run-${run.id}`);
      if (el) showStream(el, run);
    });
  }

  #send(text, attachments, mode) {
    const run = this.#app.runs.of(this.#key);
    this.#scroller.toEnd();
    this.#app.outbox.add({ id: crypto.randomUUID(), key: this.#key, text, attachments, mode: run ? mode : "send", after: this.#thread.total });
    this.#scroller.toEnd();
  }

  /** stop ends the answer that is being given. */
  async stop() {
    const run = this.#app.runs.of(this.#key);
    if (!run) return;
    await this.#app.attempt("chat.abort", { sessionKey: this.#key }, "Stopping");
  }

  /** first shows the beginning of the conversation. */
  first() {
    if (this.#thread?.count) this.#scroller.to(0);
    this.#viewport.focus();
  }

  #ends(atEnd, more = 0) {
    this.#unseen = atEnd ? 0 : this.#unseen + more;
    this.#down.hidden = atEnd;
    this.#down.lastChild.textContent = this.#unseen ? `${this.#unseen} new` : "Latest";
  }

  #pressed(event) {
    if (event.target !== this.#viewport && !event.target.matches("article")) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Home") this.first();
    else if (event.key === "End") this.#scroller.toEnd();
    else if (event.altKey && step) this.#walk(step);
    else return;
    event.preventDefault();
  }

  /** #walk moves the focus from message to message. */
  #walk(step) {
    const all = [...this.#list.querySelectorAll("article:not(.row-silent)")];
    const at = all.indexOf(document.activeElement);
    const next = at >= 0 ? all[at + step] : step < 0 ? all.at(-1) : all.find((el) => el.getBoundingClientRect().bottom > this.#viewport.getBoundingClientRect().top);
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  #drop() {
    const carries = (e) => this.#key && [...(e.dataTransfer?.types ?? [])].includes("Files");
    let depth = 0;
    const over = (on) => this.el.classList.toggle("dropping", on);
    this.el.addEventListener("dragenter", (e) => carries(e) && over(++depth > 0));
    this.el.addEventListener("dragleave", (e) => carries(e) && over(--depth > 0));
    this.el.addEventListener("dragover", (e) => carries(e) && e.preventDefault());
    this.el.addEventListener("drop", (e) => {
      if (!carries(e)) return;
      e.preventDefault();
      over((depth = 0) > 0);
      this.#composer.addFiles([...e.dataTransfer.files]).then(() => this.#composer.focus());
    });
  }
}
