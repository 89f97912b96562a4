// The events of the gateway as they come.
import { button, fill, h, icon, show } from "./dom.js";
import { sessionOf } from "./eventlog.js";
import { count, cut, keyRest, number } from "./format.js";

const SHOWN = 400; // rows

export class Events {
  #app;
  #list;
  #detail;
  #filter;
  #quiet;
  #pause;
  #note = h("p", { class: "side-note" });
  #paused = false;
  #waiting = [];
  #frame = 0;
  #shown = false;
  el;

  constructor(app) {
    this.#app = app;
    this.#filter = h("input", { type: "search", placeholder: "Name, session or text", "aria-label": "Filter the events", on: { input: () => this.#rebuild() } });
    this.#quiet = h("input", { type: "checkbox", checked: true, on: { change: () => this.#rebuild() } });
    this.#pause = button("Pause", () => this.#toggle(), { icon: "pause" });
    this.#list = h("ol", { class: "events", on: { click: (e) => this.#choose(e.target.closest("button")), keydown: (e) => this.#pressed(e) } });
    this.#detail = h("pre", { class: "event-detail", tabIndex: 0, role: "region", "aria-label": "The chosen event", hidden: true });
    this.el = h(
      "section",
      { class: "view fixed", "aria-labelledby": "events-title" },
      h("div", { class: "view-head" }, h("h1", { id: "events-title" }, "Events"), h("div", { class: "search" }, icon("search"), this.#filter), h("label", { class: "check" }, this.#quiet, "Hide ticks and pieces of answers"), this.#pause, button("Clear", () => this.#clear())),
      this.#note,
      h("div", { class: "events-scroll", tabIndex: 0, role: "region", "aria-label": "Events, the newest first" }, this.#list),
      this.#detail,
    );
    app.log.on("add", (entry) => this.#add(entry));
  }

  show(shown) {
    this.#shown = shown;
    if (shown) this.#rebuild();
  }

  #toggle() {
    this.#paused = !this.#paused;
    fill(this.#pause, icon(this.#paused ? "play" : "pause"), this.#paused ? "Go on" : "Pause");
    if (!this.#paused) this.#rebuild();
  }

  #clear() {
    this.#app.log.clear();
    this.#detail.hidden = true;
    this.#rebuild();
  }

  #passes(entry) {
    if (this.#quiet.checked && isNoise(entry)) return false;
    const words = this.#filter.value.trim().toLowerCase();
    return !words || `${entry.name} ${JSON.stringify(entry.payload)}`.toLowerCase().includes(words);
  }

  #add(entry) {
    if (!this.#shown || this.#paused || !this.#passes(entry)) return;
    this.#waiting.push(entry);
    this.#frame ||= requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#frame = 0;
    for (const entry of this.#waiting.splice(0).slice(-SHOWN)) this.#list.prepend(this.#row(entry));
    while (this.#list.children.length > SHOWN) this.#list.lastElementChild.remove();
    this.#tell();
  }

  #rebuild() {
    this.#waiting = [];
    const entries = this.#app.log.list().filter((entry) => this.#passes(entry)).slice(-SHOWN);
    fill(this.#list, entries.reverse().map((entry) => this.#row(entry)));
    this.#tell();
  }

  #tell() {
    show(this.#note, `${count(this.#list.children.length, "event")} shown of ${number(this.#app.log.total)} since this page was opened${this.#paused ? ", paused" : ""}`);
  }

  #row(entry) {
    const at = new Date(entry.at);
    const time = [at.toTimeString().slice(0, 8), h("small", {}, `.${String(at.getMilliseconds()).padStart(3, "0")}`)];
    const key = sessionOf(entry.payload);
    const el = h(
      "button",
      { type: "button", "aria-pressed": "false" },
      h("time", {}, time),
      h("span", { class: `event-name ${family(entry.name)}` }, entry.name),
      h("span", { class: "event-key" }, key && keyRest(key)),
      h("span", { class: "event-text" }, summary(entry)),
    );
    el.parleyEntry = entry;
    return h("li", {}, el);
  }

  #choose(el) {
    if (!el) return;
    for (const other of this.#list.querySelectorAll('[aria-pressed="true"]')) other.setAttribute("aria-pressed", "false");
    el.setAttribute("aria-pressed", "true");
    const { name, seq, at, payload } = el.parleyEntry;
    this.#detail.hidden = false;
    this.#detail.textContent = `${name}${seq ? `  seq ${seq}` : ""}  ${new Date(at).toISOString()}\n${JSON.stringify(payload, null, 2)}`;
    this.#detail.scrollTop = 0;
  }

  #pressed(event) {
    const all = [...this.#list.querySelectorAll("button")];
    const to = { ArrowDown: all.indexOf(event.target) + 1, ArrowUp: all.indexOf(event.target) - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all[to]?.focus();
    this.#choose(all[to]);
  }
}

function isNoise({ name, payload }) {
  return name === "tick" || name === "health" || (name === "chat" && payload.state === "delta") || (name === "agent" && payload.stream === "assistant");
}

const family = (name) => name.split(".")[0];

function summary({ name, payload }) {
  switch (name) {
    case "chat":
      return `${payload.state} ${cut(payload.errorMessage ?? payload.message?.content?.[0]?.text ?? "", 120)}`;
    case "agent":
      return `${payload.stream} ${payload.data?.phase ?? cut(payload.data?.delta ?? payload.data?.name ?? "", 120)}`;
    case "sessions.changed":
      return [payload.reason ?? payload.phase, payload.status].filter(Boolean).join(", ");
    case "session.message":
      return `${payload.message?.role} ${cut(typeof payload.message?.content === "string" ? payload.message.content : payload.message?.content?.map?.((b) => b.text ?? b.type).join(" ") ?? "", 120)}`;
    case "connection":
      return [payload.state, payload.error].filter(Boolean).join(": ");
    default:
      return cut(JSON.stringify(payload), 120);
  }
}
