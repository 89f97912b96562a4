// A client of the gateway protocol for browsers and for Node, without
// dependencies. It has the shape of the Go client (package client): connect,
// call, events as an iterator; beyond that it connects again by itself.
//
//   const conn = connect("ws://127.0.0.1:18789", { token, identity });
//   conn.subscribe("sessions.subscribe");
//   for await (const event of conn.events()) {
//     if (event.name === "connection" && event.payload.state === "connected") { … }
//     if (event.name === "chat") { … }
//   }
//   const list = await conn.call("sessions.list", { limit: 10 });
//
// Events keep the order in which the gateway sent them. Between them stand events
// named "connection", which tell what becomes of the connection itself; when one
// says "connected", all subscriptions are in force again, and what happened
// meanwhile has to be read anew. Nothing is ever sent twice by this module: a
// call whose answer the connection's end took away fails with a ConnectionError
// that says so, and its caller decides.
import { Backoff } from "./backoff.js";
import { Queue } from "./queue.js";
import { ConnectionError, GatewayError } from "./errors.js";

export { ConnectionError, GatewayError };

const PROTOCOL_MIN = 3;
const PROTOCOL_MAX = 4;
const CALL_LIMIT = 60_000; // ms that a call may take
const HANDSHAKE_LIMIT = 15_000;
const EVENTS_LIMIT = 100_000; // events that may wait for one iterator

/** Everything that an operator may do. */
export const OPERATOR_SCOPES = ["operator.admin", "operator.approvals", "operator.pairing", "operator.read", "operator.write"];

/**
 * connect begins to connect and returns at once. Options, all optional:
 *   token, password, deviceToken   credentials; setCredentials changes them
 *   identity     who signs: see identity.js
 *   client       {id, version, platform, mode, displayName}
 *   role, scopes, caps, locale, userAgent   as the protocol has them
 *   WebSocket, setTimeout, clearTimeout, random, now   for tests
 */
export function connect(url, options = {}) {
  const conn = new Connection(url, options);
  conn.retry();
  return conn;
}

/** Connection is made by connect. Its methods may be called at any time. */
export class Connection {
  #url;
  #o;
  #socket = null;
  #calls = new Map(); // id → {resolve, reject, timer, method}
  #queues = new Set();
  #subscriptions = new Map(); // method and params as text → [method, params]
  #ids = 0;
  #timer = null; // until the next attempt
  #watch = null; // for a connection that has fallen silent
  #backoff;
  #triedDeviceToken = false;
  #seq = 0;

  /** What hello said, null before the first. */
  hello = null;
  /** {state, attempt, retryAt, error, since}; see #become. */
  status = { state: "waiting", attempt: 0, retryAt: 0, error: null, since: 0 };
  /** What went over the wire since the beginning. */
  traffic = { received: 0, sent: 0, bytesReceived: 0, bytesSent: 0, connects: 0, gaps: 0 };

  constructor(url, options) {
    this.#url = url;
    this.#o = {
      WebSocket: globalThis.WebSocket,
      setTimeout: (f, ms) => setTimeout(f, ms),
      clearTimeout: (t) => clearTimeout(t),
      now: () => Date.now(),
      random: Math.random,
      role: "operator",
      scopes: OPERATOR_SCOPES,
      caps: [],
      client: {},
      ...options,
    };
    this.#backoff = new Backoff(this.#o.random);
  }

  get connected() {
    return this.status.state === "connected";
  }

  /** setCredentials replaces {token, password, deviceToken} for the next attempt. */
  setCredentials(credentials) {
    Object.assign(this.#o, { token: undefined, password: undefined, deviceToken: undefined }, credentials);
    this.#triedDeviceToken = false;
  }

  /** retry tries now instead of later; without effect while a connection is there or being made. */
  retry() {
    if (["connected", "connecting"].includes(this.status.state)) return;
    this.#o.clearTimeout(this.#timer);
    this.#open();
  }

  /** close ends the connection and all its iterators. retry opens it again. */
  close() {
    this.#drop(1000, "closed by the client");
    this.#become("closed", {});
    for (const queue of this.#queues) queue.end();
  }

  /** call answers with the payload; it throws a GatewayError or a ConnectionError. */
  call(method, params = {}, { timeout = CALL_LIMIT } = {}) {
    if (!this.connected) return Promise.reject(new ConnectionError("not connected to the gateway", false));
    return this.#request(method, params, timeout);
  }

  /** subscribe calls a method now and after each reconnect. */
  subscribe(method, params = {}) {
    this.#subscriptions.set(method + JSON.stringify(params), [method, params]);
    return this.connected ? this.call(method, params) : Promise.resolve();
  }

  /** events hands out {name, payload, seq} from this call on, until close. */
  events() {
    const queue = new Queue(EVENTS_LIMIT, () => this.#queues.delete(queue));
    this.#queues.add(queue);
    return queue;
  }

  #tell(name, payload, seq) {
    for (const queue of this.#queues) queue.push({ name, payload, seq });
  }

  /**
   * #become changes the state and tells it: "connecting", "connected", "waiting"
   * (until retryAt), "refused" (a person must do something; error says what),
   * "closed".
   */
  #become(state, { error = null, retryAt = 0 }) {
    this.status = { state, attempt: this.#backoff.attempts, retryAt, error, since: this.#o.now() };
    this.#tell("connection", this.status);
  }

  #open() {
    this.#become("connecting", { error: this.status.error });
    let socket;
    try {
      socket = new this.#o.WebSocket(this.#url);
    } catch (error) {
      this.#later(new ConnectionError(String(error.message ?? error), false));
      return;
    }
    this.#socket = socket;
    this.#arm(HANDSHAKE_LIMIT, "the gateway does not answer");
    socket.onmessage = (message) => this.#socket === socket && this.#receive(message.data);
    socket.onclose = (event) => this.#socket === socket && this.#lost(event);
    socket.onerror = () => {}; // a close follows
  }

  /** #arm gives the gateway so long for its next sign of life. */
  #arm(limit, text) {
    this.#o.clearTimeout(this.#watch);
    this.#watch = this.#o.setTimeout(() => {
      this.#drop(4000, "tick timeout");
      this.#later(new ConnectionError(text, false));
    }, limit);
  }

  /** #drop forgets the socket: nothing that it still says counts. */
  #drop(code, reason) {
    const socket = this.#socket;
    this.#socket = null;
    this.#o.clearTimeout(this.#timer);
    this.#o.clearTimeout(this.#watch);
    try {
      socket?.close(code, reason);
    } catch {
      // it was not open yet, or is closed by now
    }
    for (const call of this.#calls.values()) {
      this.#o.clearTimeout(call.timer);
      call.reject(new ConnectionError(`the connection ended before ${call.method} was answered`, true));
    }
    this.#calls.clear();
  }

  #lost(event) {
    const why = event.reason || (event.code === 1006 || !event.code ? "the gateway cannot be reached" : `closed with code ${event.code}`);
    this.#drop(1000, "");
    this.#later(new ConnectionError(why, false, event.code));
  }

  #later(error) {
    const wait = this.#backoff.next();
    this.#become("waiting", { error, retryAt: this.#o.now() + wait });
    this.#timer = this.#o.setTimeout(() => this.#open(), wait);
  }

  #receive(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return; // no frame of the protocol
    }
    this.traffic.received++;
    this.traffic.bytesReceived += text.length;
    if (this.connected) this.#arm(2 * (this.hello.policy?.tickIntervalMs ?? 30_000), "the gateway has fallen silent");
    if (frame.type === "res") this.#answer(frame);
    else if (frame.type !== "event") return;
    else if (frame.event === "connect.challenge") this.#handshake(frame.payload ?? {}, this.#socket);
    else this.#event(frame);
  }

  #event(frame) {
    if (frame.seq) {
      if (this.#seq && frame.seq > this.#seq + 1) this.traffic.gaps += frame.seq - this.#seq - 1;
      this.#seq = frame.seq;
    }
    this.#tell(frame.event, frame.payload ?? {}, frame.seq);
  }

  #request(method, params, timeout) {
    const id = String(++this.#ids);
    return new Promise((resolve, reject) => {
      const timer = this.#o.setTimeout(() => {
        this.#calls.delete(id);
        reject(new ConnectionError(`${method} was not answered within ${Math.round(timeout / 1000)} s`, true));
      }, timeout);
      this.#calls.set(id, { resolve, reject, timer, method });
      const text = JSON.stringify({ type: "req", id, method, params });
      this.traffic.sent++;
      this.traffic.bytesSent += text.length;
      this.#socket.send(text);
    });
  }

  #answer(frame) {
    const call = this.#calls.get(frame.id);
    if (!call || frame.payload?.status === "accepted") return; // the second answer is the one
    this.#calls.delete(frame.id);
    this.#o.clearTimeout(call.timer);
    if (frame.ok) call.resolve(frame.payload);
    else call.reject(new GatewayError(frame.error ?? {}, call.method));
  }

  async #handshake(challenge, socket) {
    try {
      const params = await this.#connectParams(challenge);
      if (this.#socket !== socket) return;
      const hello = await this.#request("connect", params, HANDSHAKE_LIMIT);
      if (this.#socket !== socket) return;
      await this.#welcome(hello, socket);
    } catch (error) {
      if (this.#socket === socket) this.#refused(error);
    }
  }

  async #connectParams(challenge) {
    const o = this.#o;
    const client = { id: "webchat-ui", version: "1", platform: "web", mode: "webchat", ...o.client };
    const params = { minProtocol: PROTOCOL_MIN, maxProtocol: PROTOCOL_MAX, client, role: o.role, scopes: o.scopes, caps: o.caps };
    if (o.locale) params.locale = o.locale;
    if (o.userAgent) params.userAgent = o.userAgent;
    const auth = credentials(o, this.#triedDeviceToken);
    if (auth) params.auth = auth;
    if (o.identity) {
      params.device = await o.identity.sign({
        client, role: o.role, scopes: o.scopes, token: auth?.token ?? auth?.deviceToken ?? "", nonce: challenge.nonce ?? "",
        signedAt: challenge.ts ?? o.now(), // the gateway's clock, so that ours may be wrong
      });
    }
    return params;
  }

  async #welcome(hello, socket) {
    this.hello = hello;
    this.#seq = 0;
    this.traffic.connects++;
    this.#backoff.reset();
    this.#triedDeviceToken = false;
    this.#arm(2 * (hello.policy?.tickIntervalMs ?? 30_000), "the gateway has fallen silent");
    if (hello.auth?.deviceToken) this.#o.onDeviceToken?.(hello.auth.deviceToken);
    const again = [...this.#subscriptions.values()].map(([method, params]) =>
      this.#request(method, params, CALL_LIMIT).catch((error) => this.#tell("connection.warning", { message: error.message })),
    );
    await Promise.all(again);
    if (this.#socket === socket) this.#become("connected", {});
  }

  /** #refused decides what becomes of a handshake that failed. */
  #refused(error) {
    this.#drop(4008, "connect failed");
    const code = error.details?.code;
    if (code === "AUTH_TOKEN_MISMATCH" && this.#o.token && this.#o.deviceToken && !this.#triedDeviceToken) {
      this.#triedDeviceToken = true; // the shared token has changed; this device's own may still do
      this.#open();
      return;
    }
    if (error instanceof GatewayError && error.code !== "UNAVAILABLE") {
      this.#become("refused", { error });
      return;
    }
    this.#later(error);
  }
}

/** credentials are what connect shows: the shared secret, else the device's own token. */
function credentials({ token, password, deviceToken }, useDeviceToken) {
  if (useDeviceToken) return { deviceToken };
  if (token) return { token };
  if (password) return { password };
  if (deviceToken) return { deviceToken };
  return null;
}
