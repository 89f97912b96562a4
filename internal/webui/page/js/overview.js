// The gateway at a glance.
import { fill, h, show } from "./dom.js";
import { bytes, number, span } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240, HEIGHT = 48;

export class Overview {
  #app;
  #figures = {};
  #line = document.createElementNS(SVG, "path");
  #area = document.createElementNS(SVG, "path");
  #agents = h("ul", { class: "bars" });
  #status = null;
  #delay = 0;
  #shown = false;
  #began = 0; // when the gateway began, on our clock
  el;

  constructor(app) {
    this.#app = app;
    this.el = h(
      "section",
      { class: "view", tabIndex: 0, "aria-labelledby": "overview-title" },
      h("h1", { id: "overview-title" }, "Overview"),
      h(
        "div",
        { class: "cards" },
        this.#card("Gateway", [["version", "Version"], ["uptime", "Running for"], ["agents", "Agents"], ["state", "State directory"]]),
        this.#card("This connection", [["delay", "Answer takes"], ["since", "Connected for"], ["connects", "Times connected"], ["gaps", "Events missed"]]),
        this.#card("Sessions", [["sessions", "In all agents"], ["running", "Being answered now"], ["done", "Answered since this page opened"], ["failed", "Failed or stopped"]], this.#agents),
        this.#card("Traffic", [["rate", "Events in the last minute"], ["received", "Received"], ["sent", "Sent"]], this.#spark()),
      ),
    );
    app.on("connected", () => this.#connected());
    app.on("status", () => this.#draw());
    setInterval(() => this.#shown && !document.hidden && this.#draw(), 1000);
    setInterval(() => this.#shown && !document.hidden && this.#load(), 5000);
  }

  #card(name, figures, more) {
    const id = `card-${name.replace(/\W/g, "")}`;
    return h(
      "section",
      { class: "card", "aria-labelledby": id },
      h("h2", { id }, name),
      h("dl", { class: "figures" }, figures.map(([key, text], i) => h("div", { class: i === 0 ? "main-figure" : "" }, h("dt", {}, text), (this.#figures[key] = h("dd", {}, "–"))))),
      more,
    );
  }

  #spark() {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("class", "spark");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "Events in each of the last 60 seconds");
    svg.setAttribute("preserveAspectRatio", "none");
    this.#area.setAttribute("class", "spark-area");
    svg.append(this.#area, this.#line);
    return svg;
  }

  show(shown) {
    this.#shown = shown;
    if (shown) this.#load();
  }

  #connected() {
    this.#began = Date.now() - (this.#app.conn.hello.snapshot?.uptimeMs ?? 0);
    if (this.#shown) this.#load();
  }

  async #load() {
    if (!this.#app.conn.connected) return;
    const asked = performance.now();
    const status = await this.#app.call("status").catch(() => null);
    if (!status) return;
    this.#delay = performance.now() - asked;
    this.#status = status;
    this.#draw();
  }

  #draw() {
    const { conn, runs, log } = this.#app;
    const { traffic, hello, connected, status } = conn;
    const rates = log.rates();
    const figures = {
      version: this.#status?.runtimeVersion ?? hello?.server?.version,
      uptime: connected ? span(Date.now() - this.#began) : null,
      agents: this.#status && number(this.#status.sessions.byAgent.length),
      state: hello?.snapshot?.stateDir,
      delay: connected && this.#delay ? `${this.#delay.toFixed(1)} ms` : null,
      since: connected ? span(Date.now() - status.since) : null,
      connects: number(traffic.connects),
      gaps: number(traffic.gaps),
      sessions: this.#status && number(this.#status.sessions.count),
      running: number(runs.all().length),
      done: number(runs.tally.done),
      failed: number(runs.tally.failed + runs.tally.stopped),
      rate: number(rates.reduce((a, b) => a + b, 0)),
      received: `${bytes(traffic.bytesReceived)} in ${number(traffic.received)}`,
      sent: `${bytes(traffic.bytesSent)} in ${number(traffic.sent)}`,
    };
    for (const [key, value] of Object.entries(figures)) show(this.#figures[key], value || value === 0 ? String(value) : "–");
    this.#drawSpark(rates);
    this.#drawAgents();
  }

  #drawSpark(rates) {
    const most = Math.max(4, ...rates);
    const points = rates.map((n, i) => `${((i / (rates.length - 1)) * WIDTH).toFixed(1)},${(HEIGHT - 2 - (n / most) * (HEIGHT - 6)).toFixed(1)}`);
    this.#line.setAttribute("d", `M${points.join("L")}`);
    this.#area.setAttribute("d", `M0,${HEIGHT}L${points.join("L")}L${WIDTH},${HEIGHT}Z`);
  }

  #drawAgents() {
    const agents = this.#status?.sessions.byAgent ?? [];
    const most = Math.max(1, ...agents.map((a) => a.count));
    fill(
      this.#agents,
      agents.length > 1 &&
        agents.map((a) => {
          const bar = h("span", { class: "bar-fill" });
          bar.style.width = `${(a.count / most) * 100}%`;
          return h("li", {}, h("span", {}, this.#app.agentName(a.agentId)), h("span", { class: "bar-track", "aria-hidden": "true" }, bar), h("span", {}, number(a.count)));
        }),
    );
    this.#agents.hidden = agents.length < 2;
  }
}
