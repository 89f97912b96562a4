// The list of sessions as far as it was asked for: the newest that pass the
// filters, page by page, kept up to date by events.
import { Emitter } from "./emitter.js";
import { agentOf } from "./format.js";

const PAGE = 50;

// What a row has no more when an event that carries whole rows leaves it out.
const LISTED_ONLY = ["derivedTitle", "lastMessagePreview"];

/**
 * Filters: {search, agentId, activeMinutes, all}; all includes global and unknown.
 * "change" is emitted when rows, their order, totals or the state of loading
 * have changed; "row" with a row that changed, listed or not.
 */
export class Sessions extends Emitter {
  #call;
  #rows = new Map();
  #asked = 0; // which answer counts
  #later = null;
  #describing = new Set();

  filter = { search: "", agentId: "", activeMinutes: 0, all: false };
  total = 0;
  hasMore = false;
  loading = false;
  error = null;
  defaults = {};

  constructor(call) {
    super();
    this.#call = call;
  }

  /** rows are the listed rows, newest first. */
  rows() {
    return [...this.#rows.values()].sort((a, b) => (b.updatedAt ?? 0) - (a.updatedAt ?? 0) || (a.key < b.key ? -1 : 1));
  }

  get(key) {
    return this.#rows.get(key);
  }

  setFilter(change) {
    Object.assign(this.filter, change);
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.load(), change.search === undefined ? 0 : 150);
  }

  /** load reads as many rows as were shown before, at least one page. */
  load() {
    return this.#read(0, Math.max(PAGE, Math.ceil(this.#rows.size / PAGE) * PAGE));
  }

  more() {
    if (!this.loading && this.hasMore) this.#read(this.#rows.size, PAGE);
  }

  async #read(offset, limit) {
    const asked = ++this.#asked;
    this.loading = true;
    this.emit("change");
    try {
      const answer = await this.#call("sessions.list", { ...this.#params(), offset, limit: Math.min(limit, 1000) });
      if (asked !== this.#asked) return;
      if (offset === 0) this.#rows.clear();
      for (const row of answer.sessions) this.#put(row);
      Object.assign(this, { total: answer.totalCount, hasMore: answer.hasMore, defaults: answer.defaults, error: null });
    } catch (error) {
      if (asked === this.#asked) this.error = error;
    }
    if (asked !== this.#asked) return;
    this.loading = false;
    this.emit("change");
  }

  #params() {
    const { search, agentId, activeMinutes, all } = this.filter;
    const params = { includeDerivedTitles: true, includeLastMessage: true, includeGlobal: all, includeUnknown: all };
    if (search.trim()) params.search = search.trim();
    if (agentId) params.agentId = agentId;
    if (activeMinutes) params.activeMinutes = activeMinutes;
    return params;
  }

  #put(row) {
    const old = this.#rows.get(row.key);
    const merged = { ...row };
    if (old) for (const name of LISTED_ONLY) merged[name] ??= old[name];
    this.#rows.set(row.key, merged);
    this.emit("row", merged);
  }

  /** changed takes an event sessions.changed. */
  changed(event) {
    const key = event.sessionKey;
    if (event.reason === "delete") {
      if (this.#rows.delete(key)) this.total = Math.max(0, this.total - 1);
      this.emit("gone", key);
      this.emit("change");
      return;
    }
    const old = this.#rows.get(key);
    const row = event.session ? { ...event.session, ...times(event) } : old && { ...old, ...fields(event) };
    if (row && old) {
      if (event.reason === "reset") row.derivedTitle = row.lastMessagePreview = undefined;
      this.#put(row);
    }
    if (!old || !(row.label || row.displayName || row.derivedTitle) || event.reason === "reset") this.#describe(key);
    this.emit("change");
  }

  /** message takes an event session.message: what was said last. */
  message(key, text) {
    const row = this.#rows.get(key);
    if (!row || !text) return;
    row.lastMessagePreview = text.slice(0, 200);
    this.emit("row", row);
    this.emit("change");
  }

  /** #describe reads one row soon, once for however many events. */
  #describe(key) {
    if (this.#describing.has(key)) return;
    this.#describing.add(key);
    setTimeout(async () => {
      this.#describing.delete(key);
      const row = await this.fetch(key).catch(() => null);
      if (!row || !this.#passes(row)) return;
      if (!this.#rows.has(key)) this.total++;
      this.#put(row);
      this.emit("change");
    }, 120);
  }

  /** fetch reads one row, also one that is not listed; null when there is no such session. */
  async fetch(key) {
    const { session } = await this.#call("sessions.describe", { key, includeDerivedTitles: true, includeLastMessage: true });
    if (session) this.emit("row", session);
    return session;
  }

  /** #passes reports whether a row that was not listed belongs into the list; what the gateway alone can tell is asked anew. */
  #passes(row) {
    const { search, agentId, all } = this.filter;
    if (!all && (row.kind === "global" || row.kind === "unknown")) return false;
    if (agentId && agentOf(row.key) !== agentId) return false;
    if (/^agent:[^:]+:cron:[^:]+:run:/.test(row.key)) return false;
    if (search.trim()) {
      clearTimeout(this.#later);
      this.#later = setTimeout(() => this.load(), 300);
      return false;
    }
    return true;
  }
}

/** fields are what an event says of a row beside it. */
function fields({ sessionKey, reason, phase, ts, runId, session, messageId, messageSeq, ...rest }) {
  return rest;
}

/** times are what an event about a run knows better than the row in it. */
function times({ status, startedAt, endedAt, runtimeMs, updatedAt }) {
  return Object.fromEntries(Object.entries({ status, startedAt, endedAt, runtimeMs, updatedAt }).filter(([, v]) => v !== undefined));
}
