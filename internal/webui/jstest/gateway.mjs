// A gateway for tests of the client: it stands behind a WebSocket that is none,
// and its clock is turned by hand.
import { connect } from "../page/js/client.js";

export class Gateway {
  #sockets = [];
  #frames = []; // requests that nobody has taken yet
  #waiting = []; // who waits for one
  #timers = new Map();
  #ids = 0;
  now = 1_000_000;
  hello = { type: "hello-ok", protocol: 4, policy: { tickIntervalMs: 30_000 }, snapshot: {} };

  connect(options = {}) {
    const gw = this;
    return connect("ws://gateway", {
      WebSocket: class {
        constructor(url) {
          this.url = url;
          gw.#sockets.push(this);
        }
        send(text) {
          gw.#take(JSON.parse(text));
        }
        close() {}
      },
      setTimeout: (run, ms) => (gw.#timers.set(++gw.#ids, { at: gw.now + ms, run }), gw.#ids),
      clearTimeout: (id) => gw.#timers.delete(id),
      now: () => gw.now,
      ...options,
    });
  }

  get #socket() {
    return this.#sockets.at(-1);
  }

  #take(frame) {
    const i = this.#waiting.findIndex((w) => w.method === frame.method);
    if (i < 0) this.#frames.push(frame);
    else this.#waiting.splice(i, 1)[0].resolve(frame);
  }

  /** request is the next request for a method that was not taken yet. */
  request(method) {
    const i = this.#frames.findIndex((f) => f.method === method);
    if (i >= 0) return Promise.resolve(this.#frames.splice(i, 1)[0]);
    return new Promise((resolve) => this.#waiting.push({ method, resolve }));
  }

  #send(frame) {
    this.#socket.onmessage({ data: JSON.stringify(frame) });
  }

  event(event, payload, seq) {
    this.#send({ type: "event", event, payload, seq });
  }

  answer(request, payload) {
    this.#send({ type: "res", id: request.id, ok: true, payload });
  }

  refuse(request, error) {
    this.#send({ type: "res", id: request.id, ok: false, error });
  }

  async challenge(payload = { nonce: "nonce", ts: this.now }) {
    await this.settle();
    this.event("connect.challenge", payload);
  }

  /** accept does the handshake, and answers that many subscriptions. */
  async accept({ subscriptions = 0 } = {}) {
    await this.challenge();
    this.answer(await this.request("connect"), this.hello);
    for (let i = 0; i < subscriptions; i++) this.answer(await this.request("sessions.subscribe"), { subscribed: true });
    await this.settle();
  }

  lose(code, reason) {
    this.#socket.onclose({ code, reason });
  }

  /** nextTimer is in how many ms the next timer runs. */
  nextTimer() {
    const all = [...this.#timers.values()].map((t) => t.at - this.now);
    return all.length ? Math.min(...all) : undefined;
  }

  /** tick lets time pass. */
  async tick(ms) {
    this.now += ms;
    for (const [id, timer] of [...this.#timers]) {
      if (timer.at > this.now) continue;
      this.#timers.delete(id);
      timer.run();
    }
    await this.settle();
  }

  /** settle lets everything run that can. */
  async settle() {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}
