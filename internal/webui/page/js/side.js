// The list of sessions beside everything else.
import { address } from "./app.js";
import { button, fill, h, icon, iconButton, reconcile, show } from "./dom.js";
import { agentOf, ago, count, cut, exactly, keyRest, number, title } from "./format.js";

const SPANS = [["0", "Any time"], ["60", "Last hour"], ["1440", "Last day"], ["10080", "Last week"]];

export class Side {
  #app;
  #actions;
  #search;
  #agent;
  #list;
  #foot;
  #note;
  #unread = new Set();
  #frame = 0;

  constructor(el, app, actions) {
    this.#app = app;
    this.#actions = actions;
    const { sessions } = app;
    this.#search = h("input", { type: "search", placeholder: "Search sessions", "aria-label": "Search sessions", autocomplete: "off", spellcheck: "false", on: { input: () => sessions.setFilter({ search: this.#search.value }), keydown: (e) => this.#fromSearch(e) } });
    this.#agent = h("select", { "aria-label": "Agent", hidden: true, on: { change: () => sessions.setFilter({ agentId: this.#agent.value }) } });
    const age = h("select", { "aria-label": "Active within", on: { change: () => sessions.setFilter({ activeMinutes: Number(age.value) }) } }, SPANS.map(([value, text]) => h("option", { value }, text)));
    const all = h("input", { type: "checkbox", on: { change: () => sessions.setFilter({ all: all.checked }) } });
    this.#list = h("ul", { class: "sessions", on: { keydown: (e) => this.#pressed(e) } });
    this.#foot = button("Show more", () => sessions.more(), { kind: "quiet more", hidden: true });
    this.#note = h("p", { class: "side-note", role: "status" });
    fill(
      el,
      h("div", { class: "side-head" }, h("div", { class: "search" }, icon("search"), this.#search), h("button", { type: "button", class: "button primary", id: "new", title: "New session (n)", on: { click: () => actions.create() } }, icon("plus"), "New")),
      h("div", { class: "filters" }, this.#agent, age, h("label", { class: "check", title: "Also the global session and the unknown one" }, all, "All kinds")),
      this.#note,
      h("div", { class: "side-scroll" }, this.#list, this.#foot),
    );
    this.#listen();
  }

  #listen() {
    const app = this.#app;
    const soon = () => (this.#frame ||= requestAnimationFrame(() => this.#show()));
    for (const model of [app.sessions, app.runs]) model.on("change", soon);
    app.on("route", soon);
    app.on("around", () => this.#showAgents());
    app.on("session.message", (e) => this.#mark(e));
    setInterval(soon, 30_000); // ages grow
    new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && app.sessions.more(), { rootMargin: "400px" }).observe(this.#foot);
  }

  #mark({ sessionKey, message }) {
    if (message.role !== "assistant") return;
    if (sessionKey !== this.#app.route.key || document.hidden) this.#unread.add(sessionKey);
  }

  #showAgents() {
    const { agents } = this.#app;
    this.#agent.hidden = agents.size < 2;
    fill(this.#agent, h("option", { value: "" }, "All agents"), [...agents.keys()].map((id) => h("option", { value: id, selected: id === this.#app.sessions.filter.agentId }, this.#app.agentName(id))));
    this.#show();
  }

  #show() {
    this.#frame = 0;
    const { sessions, route } = this.#app;
    if (route.view === "chat" && route.key && !document.hidden) this.#unread.delete(route.key);
    const rows = sessions.rows();
    const byKey = new Map(rows.map((row) => [row.key, row]));
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.closest("li")?.dataset.key : null;
    reconcile(this.#list, [...byKey.keys()], (key) => this.#make(key));
    for (const li of this.#list.children) this.#draw(li, byKey.get(li.dataset.key));
    if (focused && !this.#list.contains(document.activeElement)) (this.#link(focused) ?? this.#list.querySelector("a"))?.focus();
    this.#foot.hidden = !sessions.hasMore;
    show(this.#note, this.#noteText(rows.length));
    this.#note.classList.toggle("bad", !!sessions.error);
  }

  #noteText(shown) {
    const { sessions } = this.#app;
    if (sessions.error && this.#app.conn.connected) return `The list could not be read: ${sessions.error.message}`;
    if (shown === 0) return sessions.loading || !this.#app.conn.hello ? "Loading…" : this.#filtered() ? "No session passes the filters." : "There are no sessions yet.";
    return shown < sessions.total ? `${number(shown)} of ${count(sessions.total, "session")}` : count(shown, "session");
  }

  #filtered() {
    const { search, agentId, activeMinutes } = this.#app.sessions.filter;
    return search.trim() !== "" || agentId !== "" || activeMinutes > 0;
  }

  #make(key) {
    const more = iconButton("more", "", () => this.#actions.menu(more, this.#app.sessions.get(key) ?? { key }), { class: "row-more" });
    return h(
      "li",
      {},
      h("a", { href: address(key) }, h("span", { class: "dot" }), h("span", { class: "name" }), h("time", {}), h("span", { class: "preview" }), h("span", { class: "unseen state" })),
      more,
    );
  }

  #draw(li, row) {
    const [link, more] = li.children;
    const [dot, name, time, preview, state] = link.children;
    const running = !!this.#app.runs.of(row.key);
    const unread = this.#unread.has(row.key);
    const current = this.#app.route.view === "chat" && this.#app.route.key === row.key;
    li.className = [running && "running", unread && "unread", row.status === "failed" && !running && "failed"].filter(Boolean).join(" ");
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    show(name, title(row));
    show(time, row.updatedAt ? ago(row.updatedAt) : "");
    if (row.updatedAt) time.title = exactly(row.updatedAt);
    const agent = agentOf(row.key);
    const rest = keyRest(row.key);
    show(preview, cut(row.lastMessagePreview ?? "", 120) || (agent && this.#app.agents.size > 1 ? `${agent} · ${rest}` : title(row) === rest ? "No messages yet" : rest));
    show(state, running ? ", answering" : unread ? ", new" : row.status === "failed" ? ", failed" : "");
    dot.title = running ? "Answering" : unread ? "New" : row.status === "failed" ? "The last answer failed" : "";
    const label = `What can be done with ${title(row)}`;
    if (more.title !== label) {
      more.title = label;
      more.setAttribute("aria-label", label);
    }
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  #link(key) {
    return [...this.#list.children].find((li) => li.dataset.key === key)?.querySelector("a");
  }

  /** step opens the session before or behind the one that is shown. */
  step(by) {
    const keys = [...this.#list.children].map((li) => li.dataset.key);
    const at = keys.indexOf(this.#app.route.key);
    const key = keys[at < 0 ? 0 : at + by];
    if (key) location.hash = address(key);
  }

  #fromSearch(event) {
    if (event.key === "ArrowDown") this.#list.querySelector("a")?.focus();
    else if (event.key === "Escape" && this.#search.value) {
      this.#search.value = "";
      this.#app.sessions.setFilter({ search: "" });
    } else return;
    event.preventDefault();
  }

  /** #pressed moves through the list with the arrows. */
  #pressed(event) {
    const li = event.target.closest("li");
    const all = [...this.#list.children];
    const to = { ArrowDown: all.indexOf(li) + 1, ArrowUp: all.indexOf(li) - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Delete" && li) {
      const row = this.#app.sessions.get(li.dataset.key);
      if (row && row.key !== this.#app.mainKey) this.#actions.remove(row);
    } else if (to === -1) this.#search.focus();
    else if (to !== undefined) all[to]?.querySelector("a").focus();
    else return;
    event.preventDefault();
  }
}
