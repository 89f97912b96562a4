// What goes on: runs, connections, devices.
import { address } from "./app.js";
import { confirmed } from "./dialog.js";
import { button, fill, h } from "./dom.js";
import { ago, exactly, moment, span, title } from "./format.js";

export class Activity {
  #app;
  #runs = h("div", { class: "runs" });
  #people = h("div", {});
  #devices = h("div", {});
  #presence = [];
  #pairing = { pending: [], paired: [] };
  #shown = false;
  el;

  constructor(app) {
    this.#app = app;
    this.el = h(
      "section",
      { class: "view", tabIndex: 0, "aria-labelledby": "activity-title" },
      h("h1", { id: "activity-title" }, "Activity"),
      h("section", { class: "card", "aria-labelledby": "runs-title" }, h("h2", { id: "runs-title" }, "Runs"), this.#runs),
      h("section", { class: "card", "aria-labelledby": "people-title" }, h("h2", { id: "people-title" }, "Connections"), this.#people),
      h("section", { class: "card", "aria-labelledby": "devices-title" }, h("h2", { id: "devices-title" }, "Devices"), this.#devices),
    );
    app.runs.on("change", (run, what) => (what === "text" ? 0 : this.#showRuns()));
    app.on("connected", () => this.#load());
    app.on("presence", (e) => this.#take(e.presence));
    app.on("health", () => this.#shown && this.#loadPresence()); // somebody has connected
    for (const name of ["device.pair.requested", "device.pair.resolved"]) app.on(name, () => this.#loadDevices());
    setInterval(() => this.#shown && !document.hidden && (this.#showRuns(), this.#showPeople()), 1000);
  }

  show(shown) {
    this.#shown = shown;
    if (shown) this.#load();
  }

  #load() {
    if (!this.#app.conn.connected) return;
    this.#showRuns();
    this.#loadPresence();
    this.#loadDevices();
  }

  async #loadPresence() {
    this.#take(await this.#app.call("system-presence").catch(() => this.#presence));
  }

  #take(list) {
    this.#presence = list;
    this.#showPeople();
  }

  async #loadDevices() {
    const pairing = await this.#app.call("device.pair.list").catch(() => null);
    if (!pairing) return;
    this.#pairing = pairing;
    this.#showDevices();
    const badge = document.getElementById("activity-count");
    badge.hidden = pairing.pending.length === 0;
    badge.textContent = String(pairing.pending.length);
    badge.title = "Devices that wait for approval";
  }

  #showRuns() {
    const runs = this.#app.runs.all();
    if (runs.length === 0) {
      fill(this.#runs, h("p", { class: "none" }, "Nothing is being answered now."));
      return;
    }
    fill(
      this.#runs,
      table(
        "Runs",
        ["Session", "Since", "Said", ""],
        runs.map((run) => [
          h("a", { href: address(run.key) }, title(this.#app.sessions.get(run.key) ?? { key: run.key })),
          span(Date.now() - run.startedAt),
          `${run.text.length} letters`,
          button("Stop", () => this.#app.attempt("chat.abort", { sessionKey: run.key }, "Stopping"), { kind: "quiet" }),
        ]),
      ),
    );
  }

  #showPeople() {
    fill(
      this.#people,
      table(
        "Connections",
        ["Who", "Kind", "Version", "Platform", "Rights", "State"],
        this.#presence.map((p) => [
          h("span", { title: p.deviceId ?? p.instanceId ?? "" }, p.host ?? p.text ?? "?", p.ip ? h("small", {}, ` ${p.ip}`) : null),
          p.mode ?? "",
          p.version ?? "",
          [p.platform, p.deviceFamily].filter(Boolean).join(", "),
          (p.scopes ?? []).map((s) => s.replace("operator.", "")).join(", "),
          h("span", { title: p.ts ? exactly(p.ts) : "" }, p.reason === "disconnect" ? `left ${ago(p.ts)} ago` : p.reason === "self" ? "serving" : `since ${moment(p.ts)}`),
        ]),
      ),
    );
  }

  #showDevices() {
    const { pending, paired } = this.#pairing;
    fill(
      this.#devices,
      pending.map((p) => this.#request(p)),
      paired.length === 0
        ? h("p", { class: "none" }, "No device is paired.")
        : table(
            "Paired devices",
            ["Device", "Client", "Rights", "Since", "Last seen", ""],
            paired.map((d) => [
              h("span", { title: d.deviceId }, d.displayName ?? d.deviceId.slice(0, 12)),
              [d.clientId, d.platform].filter(Boolean).join(", "),
              (d.scopes ?? []).map((s) => s.replace("operator.", "")).join(", ") || d.role,
              d.approvedAtMs ? ago(d.approvedAtMs) : "",
              ago(Math.max(0, ...(d.tokens ?? []).map((t) => t.lastUsedAtMs ?? t.createdAtMs ?? 0))),
              button("Remove", () => this.#remove(d), { kind: "quiet" }),
            ]),
          ),
    );
  }

  #request(p) {
    const decide = (verb) => this.#app.attempt(`device.pair.${verb}`, { requestId: p.requestId }, verb === "approve" ? "Approving" : "Rejecting");
    return h(
      "div",
      { class: "request", role: "group", "aria-label": "Request for pairing" },
      h("p", {}, h("strong", {}, p.displayName ?? p.clientId ?? "A device"), ` wants to be paired${p.remoteIp ? ` from ${p.remoteIp}` : ""}. It asks for: ${(p.scopes ?? [p.role]).join(", ")}.`, h("br"), h("small", { class: "key" }, p.deviceId)),
      button("Approve", () => decide("approve"), { kind: "primary" }),
      button("Reject", () => decide("reject")),
    );
  }

  async #remove(device) {
    const name = device.displayName ?? device.deviceId.slice(0, 12);
    const own = device.deviceId === this.#app.deviceId;
    const sure = await confirmed("Remove the device?", `“${name}” loses its rights, and its connections end at once.${own ? " It is this browser." : ""}`, "Remove");
    if (sure && (await this.#app.attempt("device.pair.remove", { deviceId: device.deviceId }, "Removing"))) this.#loadDevices();
  }
}

/** table is a table that can be scrolled sideways where there is little room. */
export function table(label, heads, rows) {
  return h(
    "div",
    { class: "table-scroll", tabIndex: 0, role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map((text) => (text ? h("th", { scope: "col" }, text) : h("td", {}))))), h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)))))),
  );
}

