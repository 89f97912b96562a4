// The last events, and how many there are in a second.
import { Emitter } from "./emitter.js";

const KEPT = 2000;
const SECONDS = 60;

/** EventLog emits "add" with {n, at, name, payload, seq}. */
export class EventLog extends Emitter {
  #list = [];
  #counts = new Array(SECONDS).fill(0);
  #second = 0;
  #n = 0;

  add(name, payload, seq) {
    const entry = { n: ++this.#n, at: Date.now(), name, payload, seq };
    this.#list.push(entry);
    if (this.#list.length > KEPT + KEPT / 4) this.#list.splice(0, KEPT / 4);
    this.#turn();
    this.#counts[SECONDS - 1]++;
    this.emit("add", entry);
  }

  #turn() {
    const now = Math.floor(Date.now() / 1000);
    for (let gone = Math.min(SECONDS, now - this.#second); gone > 0; gone--) {
      this.#counts.shift();
      this.#counts.push(0);
    }
    this.#second = now;
  }

  get total() {
    return this.#n;
  }

  /** rates is how many events came in each of the last 60 seconds, the last one being now. */
  rates() {
    this.#turn();
    return [...this.#counts];
  }

  list() {
    return this.#list;
  }

  clear() {
    this.#list = [];
  }
}

/** sessionOf is the session that an event is about, "" for none. */
export const sessionOf = (payload) => payload?.sessionKey ?? payload?.key ?? "";
