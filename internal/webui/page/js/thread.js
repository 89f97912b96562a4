// The messages of one session, of which only parts are here. A row is a message
// of the transcript, or something that is not in it (yet): what was just typed,
// the answer that is being given, a note.

const PAGE = 100; // messages that are asked for at once
const KEPT = 5000; // messages that are kept
const END = Number.MAX_SAFE_INTEGER;
const SILENT = "NO_REPLY";

/**
 * Thread reads pages with read({before, limit}), which answers as chat.history
 * does. changed(keys) is called when rows have changed, with null when their
 * number or order has.
 */
export class Thread {
  #read;
  #changed;
  #messages = new Map(); // number → message, or null for a silent one
  #asking = new Map(); // page → promise
  #failed = new Map(); // page → error
  #notes = []; // {id, after, …} in order of after

  /** How many messages the transcript has. */
  total = 0;
  sessionId = "";
  /** Rows behind the last message: {id, kind, …}. Call restack after a change. */
  tail = [];

  constructor(read, changed) {
    this.#read = read;
    this.#changed = changed;
  }

  /** load reads the end of the transcript anew and gives the whole answer; what was known of another transcript is forgotten. */
  async load(limit = PAGE) {
    const page = await this.#read({ before: END, limit });
    if ((page.sessionId ?? "") !== this.sessionId || page.totalCount < this.total) this.#forget();
    this.sessionId = page.sessionId ?? "";
    this.total = page.totalCount;
    this.#failed.clear();
    this.#take(page, page.totalCount + 1);
    this.#changed(null);
    return page;
  }

  #forget() {
    this.#messages.clear();
    this.#asking = new Map(); // answers that are under way do not count any more
    this.#notes = [];
    this.total = 0;
  }

  /** renew forgets all messages, for they have changed, and reads the end anew. */
  renew() {
    this.#forget();
    return this.load();
  }

  #take(page, before) {
    for (const message of page.messages) {
      const seq = message.__openclaw?.seq;
      if (seq) this.#messages.set(seq, message);
    }
    const from = page.nextBefore ?? 1;
    for (let seq = from; seq < before; seq++) if (!this.#messages.has(seq)) this.#messages.set(seq, null);
  }

  /** add takes a message that was just written; one that is nowhere stored has no id and becomes a note. */
  add(message, seq, id) {
    if (!id) {
      this.note({ id: `note-${seq}-${message.timestamp}`, kind: "message", message }, seq);
      return;
    }
    const grown = seq > this.total;
    this.total = Math.max(this.total, seq);
    this.#messages.set(seq, isSilent(message) ? null : { ...message, __openclaw: { ...message.__openclaw, id, seq } });
    this.#changed(grown ? null : [`m${seq}`]);
  }

  /** note puts a row behind message number after, where it stays. */
  note(row, after = this.total) {
    if (this.#notes.some((n) => n.id === row.id)) return;
    this.#notes.push({ ...row, after });
    this.#notes.sort((a, b) => a.after - b.after);
    if (this.#notes.length > 100) this.#notes.shift();
    this.#changed(null);
  }

  unnote(id) {
    this.#notes = this.#notes.filter((n) => n.id !== id);
    this.#changed(null);
  }

  restack(tail) {
    this.tail = tail;
    this.#changed(null);
  }

  get count() {
    return this.total + this.#notes.length + this.tail.length;
  }

  /** row is {id, kind, seq?, message?, …}; kind "gap" is a message that is not here, "silent" one that is not shown. */
  row(i) {
    const before = this.#notesBefore(i);
    if (before.note) return before.note;
    const seq = i - before.count + 1;
    if (seq > this.total) return this.tail[seq - this.total - 1];
    const message = this.#messages.get(seq);
    if (message === undefined) return { id: `m${seq}`, kind: "gap", seq, error: this.#failed.get(pageOf(seq)) };
    return { id: `m${seq}`, kind: message ? "message" : "silent", seq, message };
  }

  key(i) {
    const before = this.#notesBefore(i);
    if (before.note) return before.note.id;
    const seq = i - before.count + 1;
    return seq > this.total ? this.tail[seq - this.total - 1].id : `m${seq}`;
  }

  /** #notesBefore counts the notes before row i, or finds that it is one: the j-th note is row after + j. */
  #notesBefore(i) {
    let count = 0;
    for (const note of this.#notes) {
      const at = note.after + count;
      if (at === i) return { note, count };
      if (at > i) break;
      count++;
    }
    return { count };
  }

  /** index is the row of a message. */
  index(seq) {
    return seq - 1 + this.#notes.filter((n) => n.after < seq).length;
  }

  /** last gives messages from the end backwards, as far as they are here without a gap. */
  *last() {
    for (let seq = this.total; seq > 0; seq--) {
      const message = this.#messages.get(seq);
      if (message === undefined) return;
      if (message) yield message;
    }
  }

  /** want reads what is missing between two rows. */
  want(first, last) {
    for (let i = first; i <= last; i++) {
      const row = this.row(i);
      if (row?.kind === "gap" && !row.error) this.#ask(pageOf(row.seq));
    }
    if (this.#messages.size > KEPT) this.#shed((first + last) / 2);
  }

  /** retry asks again for what could not be read. */
  retry() {
    this.#failed.clear();
    this.#changed(null);
  }

  #ask(page) {
    if (this.#asking.has(page)) return;
    const asking = this.#asking;
    const from = page * PAGE + 1;
    const done = this.#readRange(from, Math.min(from + PAGE, this.total + 1), asking)
      .catch((error) => this.#asking === asking && this.#failed.set(page, error))
      .then(() => {
        asking.delete(page);
        if (this.#asking === asking) this.#changed(range(from, from + PAGE));
      });
    asking.set(page, done);
  }

  /** #readRange reads messages from … before - 1; an answer may hold only the last of them. */
  async #readRange(from, before, asking) {
    while (before > from) {
      const page = await this.#read({ before, limit: before - from });
      if (this.#asking !== asking) return;
      this.#take(page, before);
      before = page.nextBefore ?? 1;
    }
  }

  /** #shed forgets what is far from the row that is in the middle. */
  #shed(row) {
    const far = [...this.#messages.keys()].sort((a, b) => Math.abs(b - row) - Math.abs(a - row));
    for (const seq of far.slice(0, far.length - KEPT / 2)) if (seq <= this.total - PAGE) this.#messages.delete(seq);
  }
}

const pageOf = (seq) => Math.floor((seq - 1) / PAGE);

function range(from, before) {
  return Array.from({ length: before - from }, (_, i) => `m${from + i}`);
}

/** textOf is what a message says. */
export function textOf(message) {
  const { content } = message ?? {};
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.filter((b) => b?.type === "text").map((b) => b.text).join("\n");
  return typeof message?.text === "string" ? message.text : "";
}

function isSilent(message) {
  return message.role === "assistant" && textOf(message).trim() === SILENT && !(message.content ?? []).some?.((b) => b.type !== "text");
}
