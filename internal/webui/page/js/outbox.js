// What was typed and may not have reached the gateway yet. A message keeps its
// idempotency key from the moment it is typed, and is tried again with it until
// the gateway has answered, so it is neither lost nor sent twice. The outbox
// outlives a reload of the page.
import { Emitter } from "./emitter.js";
import { ConnectionError } from "./errors.js";

const KEPT_UNDER = "parley.outbox";

/**
 * An entry is {id, key, text, attachments, mode: "send" | "steer", after, at,
 * state, error}. after is how many messages the session had when it was typed.
 * States: "waiting" (for the connection), "sending", "unsure" (sent, and then the
 * connection ended), "accepted" (it has its turn, or will have), "failed".
 *
 * "change" is emitted with the key of the session whose entries have changed.
 */
export class Outbox extends Emitter {
  #conn;
  #storage;
  #entries = [];
  #busy = new Set(); // sessions that one of us is just sending to

  constructor(conn, storage) {
    super();
    this.#conn = conn;
    this.#storage = storage;
    this.#entries = this.#restore();
  }

  #restore() {
    try {
      const entries = JSON.parse(this.#storage?.getItem(KEPT_UNDER) ?? "[]");
      return entries.map((e) => ({ ...e, state: e.state === "sending" ? "unsure" : e.state }));
    } catch {
      return []; // nothing that we have written
    }
  }

  #save() {
    try {
      this.#storage?.setItem(KEPT_UNDER, JSON.stringify(this.#entries));
    } catch {
      // pictures may be too much for the storage; then this page alone remembers
    }
  }

  #changed(key) {
    this.#save();
    this.emit("change", key);
  }

  /** of is what is under way to a session, in the order of typing. */
  of(key) {
    return this.#entries.filter((e) => e.key === key);
  }

  /** add takes a new message and sends it as soon as that can be. */
  add({ id, key, text, attachments = [], mode = "send", after = 0, at = Date.now() }) {
    this.#entries.push({ id, key, text, attachments, mode, after, at, state: "waiting", error: "" });
    this.#changed(key);
    this.flush();
  }

  /** remove forgets an entry: it stands in the transcript now, or is not wanted any more. */
  remove(id) {
    const entry = this.#entries.find((e) => e.id === id);
    if (!entry) return undefined;
    this.#entries = this.#entries.filter((e) => e !== entry);
    this.#changed(entry.key);
    return entry;
  }

  /** again tries what has failed once more. */
  again(id) {
    const entry = this.#entries.find((e) => e.id === id);
    if (entry?.state !== "failed") return;
    entry.state = "waiting";
    this.#changed(entry.key);
    this.flush();
  }

  /** flush sends what can be sent, each session's messages one after the other. */
  flush() {
    for (const key of new Set(this.#entries.map((e) => e.key))) this.#flushSession(key);
  }

  async #flushSession(key) {
    if (this.#busy.has(key)) return;
    this.#busy.add(key);
    try {
      for (let entry; this.#conn.connected && (entry = this.#next(key)); ) await this.#send(entry);
    } finally {
      this.#busy.delete(key);
    }
  }

  #next(key) {
    return this.#entries.find((e) => e.key === key && (e.state === "waiting" || e.state === "unsure"));
  }

  async #send(entry) {
    const [method, params] = request(entry);
    entry.state = "sending";
    this.#changed(entry.key);
    try {
      const answer = await this.#conn.call(method, params);
      if (!this.#entries.includes(entry)) return;
      if (answer.runId === undefined) this.remove(entry.id); // it was a word that stops runs
      else this.#settle(entry, "accepted");
      this.emit("answer", entry, answer);
    } catch (error) {
      if (!this.#entries.includes(entry)) return;
      if (error instanceof ConnectionError) this.#settle(entry, error.sent ? "unsure" : "waiting");
      else this.#settle(entry, "failed", error.message);
    }
  }

  #settle(entry, state, error = "") {
    Object.assign(entry, { state, error });
    this.#changed(entry.key);
  }

  /**
   * match removes the entries that stand among the messages now, and gives them.
   * messages are {seq, text} of users; each counts for one entry.
   */
  match(key, messages) {
    const free = [...messages];
    const matched = [];
    for (const entry of this.of(key)) {
      const i = free.findIndex((m) => m.seq > entry.after && same(m.text, entry.text));
      if (i < 0) continue;
      free.splice(i, 1);
      matched.push(this.remove(entry.id));
    }
    return matched;
  }
}

/**
 * request is the call for an entry. Who is not sure whether a message that was to
 * interrupt has arrived sends it as a plain one: with its idempotency key that
 * starts nothing twice, whereas a second interruption would interrupt itself.
 */
function request({ id, key, text, attachments, mode, state }) {
  const files = attachments.length ? { attachments: attachments.map(({ mimeType, fileName, content }) => ({ type: "image", mimeType, fileName, content })) } : {};
  if (mode === "steer" && state !== "unsure") return ["sessions.steer", { key, message: text, idempotencyKey: id, ...files }];
  return ["chat.send", { sessionKey: key, message: text, idempotencyKey: id, ...files }];
}

/** same reports whether a stored text is what was typed: the gateway drops control characters and normalises. */
function same(stored, typed) {
  return plain(stored) === plain(typed);
}

const plain = (text) => text.normalize("NFC").replace(/[\u0000-\u001f\u007f\s]+/g, " ").trim();
