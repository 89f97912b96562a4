// The line that says how things stand with the connection, and the switch between
// light and dark.
import { button, fill, h, icon } from "./dom.js";

export class Status {
  #el;
  #conn;
  #app;
  #count = h("span", { "aria-hidden": "true" });
  #shown = "";

  constructor(el, app) {
    this.#el = el;
    this.#app = app;
    this.#conn = app.conn;
    app.on("status", () => this.#show());
    app.on("shutdown", () => this.#show());
    setInterval(() => this.#tick(), 500);
    this.#show();
  }

  #show() {
    const { state, error } = this.#conn.status;
    const [kind, text] = this.#words(state);
    document.body.dataset.connection = kind;
    if (this.#shown === kind + text) return; // told once, not at each attempt
    this.#shown = kind + text;
    fill(this.#el, h("span", { class: `lamp ${kind}` }), h("span", { class: "status-text" }, text), this.#count, kind === "off" && button("Now", () => this.#conn.retry(), { kind: "quiet", title: "Try to connect now" }));
    this.#el.title = error && kind !== "on" ? error.message : "";
    this.#tick();
  }

  #words(state) {
    if (this.#app.stopping && state === "connected") return ["off", "The gateway is stopping"];
    if (state === "connected") return ["on", "Connected"];
    if (state === "refused") return ["bad", "Not let in"];
    if (state === "closed") return ["bad", "Closed"];
    if (this.#conn.traffic.connects === 0 && this.#conn.status.attempt === 0) return ["wait", "Connecting…"];
    return ["off", navigator.onLine === false ? "This machine is offline" : "No connection"];
  }

  #tick() {
    const { state, retryAt } = this.#conn.status;
    const left = Math.ceil((retryAt - Date.now()) / 1000);
    const text = state === "waiting" && left > 0 ? ` · again in ${left} s` : state === "connecting" && this.#shown.startsWith("off") ? " · trying…" : "";
    if (this.#count.textContent !== text) this.#count.textContent = text;
  }
}

const THEMES = { system: "as the system has them", light: "light", dark: "dark" };

/** themeSwitch lets a button go through the themes. */
export function themeSwitch(el) {
  const show = () => {
    const now = document.documentElement.dataset.theme ?? "system";
    const text = `Colours: ${THEMES[now]}`;
    el.setAttribute("aria-label", text);
    el.title = text;
    fill(el, icon({ system: "system", light: "sun", dark: "moon" }[now]));
  };
  el.addEventListener("click", () => {
    const { dataset } = document.documentElement;
    const next = { system: "light", light: "dark", dark: "system" }[dataset.theme ?? "system"];
    if (next === "system") delete dataset.theme;
    else dataset.theme = next;
    localStorage.setItem("parley.theme", next);
    show();
  });
  show();
}
