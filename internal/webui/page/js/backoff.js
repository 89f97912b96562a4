// How long to wait before connecting again: 0.5 s at first, then 1.7 times as
// long each time up to 15 s, spread a little so that many pages do not come at
// the same moment.
const FIRST = 500;
const FACTOR = 1.7;
const LONGEST = 15_000;

export class Backoff {
  #random;

  /** Attempts that have failed since the last success. */
  attempts = 0;

  constructor(random = Math.random) {
    this.#random = random;
  }

  /** next is the wait in ms before the next attempt. */
  next() {
    const wait = Math.min(FIRST * FACTOR ** this.attempts++, LONGEST);
    return Math.round(wait * (0.8 + 0.4 * this.#random()));
  }

  reset() {
    this.attempts = 0;
  }
}
