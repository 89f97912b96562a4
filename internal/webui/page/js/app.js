// What all views share: the connection, the models of what goes on, and a few
// things that they all do.
import { Emitter } from "./emitter.js";
import { EventLog } from "./eventlog.js";
import { Outbox } from "./outbox.js";
import { Runs } from "./runs.js";
import { Sessions } from "./sessions.js";
import { Toasts } from "./dialog.js";

/**
 * App emits: "status" when the connection changes, "connected" when everything
 * should be read anew, "event" for each event of the gateway, and each of those
 * by its own name with its payload; "route" when another view is to be shown.
 */
export class App extends Emitter {
  conn;
  runs = new Runs();
  log = new EventLog();
  sessions = new Sessions((method, params) => this.call(method, params));
  outbox;
  toasts = new Toasts(document.getElementById("toasts"));
  agents = new Map(); // id → name
  models = [];
  agentDefault = "main";
  mainKey = "agent:main:main";
  stopping = false; // the gateway has said that it stops
  route = { view: "chat", key: null };
  write = null; // the session that is to be written to as soon as it is shown

  constructor(conn) {
    super();
    this.conn = conn;
    this.outbox = new Outbox(conn, sessionStorage);
    this.sessions.on("row", (row) => this.runs.row(row));
    this.sessions.on("gone", (key) => this.runs.row({ key, status: "gone" }));
  }

  call(method, params, options) {
    return this.conn.call(method, params, options);
  }

  /** attempt calls a method for a person: what goes wrong is told, and undefined given. */
  async attempt(method, params, doing) {
    try {
      return await this.call(method, params);
    } catch (error) {
      this.fail(doing, error);
      return undefined;
    }
  }

  fail(doing, error) {
    this.toasts.show(`${doing} failed: ${error.message}`, { bad: true });
  }

  /** announce tells a screen reader something that is to be seen anyway. */
  announce(text) {
    const el = document.getElementById("announcer");
    el.textContent = "";
    setTimeout(() => (el.textContent = text), 50); // the same text twice is told twice
  }

  /** run takes events until the connection is closed for good. */
  async run() {
    for await (const event of this.conn.events()) this.#take(event);
  }

  #take({ name, payload, seq }) {
    if (name === "connection") {
      if (payload.state === "connected") this.#connected();
      else if (payload.state === "waiting") this.runs.forget();
      this.log.add(name, { state: payload.state, attempt: payload.attempt, error: payload.error?.message });
      this.emit("status", payload);
      return;
    }
    this.log.add(name, payload, seq);
    if (name === "agent") this.runs.agent(payload);
    else if (name === "sessions.changed") this.sessions.changed(payload);
    else if (name === "shutdown") this.stopping = true;
    this.emit(name, payload); // views hear of a message before the run that made it ends
    if (name === "chat") this.runs.chat(payload);
    this.emit("event", name, payload);
  }

  #connected() {
    this.stopping = false;
    const defaults = this.conn.hello.snapshot?.sessionDefaults ?? {};
    this.agentDefault = defaults.defaultAgentId ?? "main";
    this.mainKey = defaults.mainSessionKey ?? `agent:${this.agentDefault}:main`;
    this.sessions.load();
    this.#readAround();
    this.emit("connected");
    this.outbox.flush();
  }

  /** #readAround reads what seldom changes. */
  async #readAround() {
    const agents = await this.call("agents.list").catch(() => null);
    if (agents) this.agents = new Map(agents.agents.map((a) => [a.id, a.identity?.name || a.name || a.id]));
    const models = await this.call("models.list").catch(() => null);
    if (models) this.models = models.models;
    this.emit("around");
  }

  /** canonical is the key under which the gateway knows a session. */
  canonical(key) {
    const k = key.trim().toLowerCase();
    if (k === "main") return this.mainKey;
    if (k === "global" || k === "unknown" || k.startsWith("agent:")) return k;
    return `agent:${this.agentDefault}:${k}`;
  }

  agentName(id) {
    const name = this.agents.get(id);
    return name && name !== id ? name : id === "main" || !id ? "Assistant" : id;
  }
}

/** address is the hash that shows a session. */
export const address = (key) => `#/s/${encodeURIComponent(key)}`;
