// A queue that is an async iterator: what is pushed comes out in order. A reader
// that falls too far behind is ended with an error rather than left to eat up
// memory.
export class Queue {
  #waiting = [];
  #head = 0;
  #wake = null;
  #ended = false;
  #error = null;
  #limit;
  #onEnd;

  constructor(limit, onEnd = () => {}) {
    this.#limit = limit;
    this.#onEnd = onEnd;
  }

  push(value) {
    if (this.#ended) return;
    this.#waiting.push(value);
    if (this.#waiting.length - this.#head > this.#limit) this.end(new Error("too many events wait to be taken"));
    this.#wake?.();
  }

  /** end lets the reader take what waits, and then ends its loop, with error if one is given. */
  end(error = null) {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#onEnd();
    this.#wake?.();
  }

  async next() {
    while (this.#head === this.#waiting.length) {
      if (this.#ended && this.#error) throw this.#error;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
    const value = this.#waiting[this.#head++];
    if (this.#head > 1000 && this.#head * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    return { done: false, value };
  }

  async return() {
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}
