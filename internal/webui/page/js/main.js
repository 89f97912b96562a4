// Puts the page together.
import { Actions } from "./actions.js";
import { Activity } from "./activity.js";
import { App } from "./app.js";
import { Approvals } from "./approvals.js";
import { Archive } from "./archive.js";
import { Chat } from "./chat.js";
import { connect } from "./client.js";
import { fill, icon } from "./dom.js";
import { Events } from "./events.js";
import { title } from "./format.js";
import { deviceToken, forget, identity, keepDeviceToken } from "./identity.js";
import { login } from "./login.js";
import { Overview } from "./overview.js";
import { help, shortcuts } from "./shortcuts.js";
import { Side } from "./side.js";
import { Status, themeSwitch } from "./status.js";

const TOKEN = "parley.token";

/** secret is the token that the address brought; it does not stay there. */
function secret() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const brought = hash.get("token");
  if (brought) {
    sessionStorage.setItem(TOKEN, brought.trim());
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(TOKEN) ?? "";
}

/** gatewayURL is where the gateway of this page speaks its protocol. */
function gatewayURL() {
  const url = new URL(".", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = url.search = "";
  return url.href;
}

async function begin() {
  const token = secret();
  let me = null;
  try {
    me = await identity();
  } catch (error) {
    console.warn("no device identity:", error.message);
  }
  const conn = connect(gatewayURL(), {
    token,
    deviceToken: me ? await deviceToken() : "",
    identity: me,
    onDeviceToken: (t) => keepDeviceToken(t).catch(() => {}),
    client: { id: "openclaw-control-ui", version: "parley-page", platform: "web", mode: "webchat", displayName: "Parley page", instanceId: instance() },
    caps: ["tool-events"],
    locale: navigator.language,
  });
  conn.subscribe("sessions.subscribe");
  const app = new App(conn);
  app.deviceId = me ? (await me.describe()).id : "";
  build(app);
  app.run();
}

function instance() {
  const kept = sessionStorage.getItem("parley.instance") ?? crypto.randomUUID?.() ?? String(Math.random());
  sessionStorage.setItem("parley.instance", kept);
  return kept;
}

function build(app) {
  const actions = new Actions(app);
  const side = new Side(document.getElementById("side"), app, actions);
  const views = { chat: new Chat(app, actions), activity: new Activity(app), overview: new Overview(app), events: new Events(app), archive: new Archive(app, actions) };
  const main = document.getElementById("main");
  main.append(...Object.values(views).map((view) => view.el));
  for (const el of document.querySelectorAll("[data-icon]")) fill(el, icon(el.dataset.icon));
  new Approvals(app);
  new Status(document.getElementById("status"), app);
  themeSwitch(document.getElementById("theme"));
  const route = () => show(app, views);
  addEventListener("hashchange", () => {
    secret(); // an address that was pasted into an open page
    route();
  });
  for (const name of ["change", "row"]) app.sessions.on(name, () => nameWindow(app));
  admit(app);
  wake(app);
  keys(app, actions, side, views);
  route();
}

/** show follows the address to a view. */
function show(app, views) {
  const hash = location.hash.replace(/^#\/?/, "");
  const [name, rest] = hash.split(/\/(.*)/s);
  const key = name === "s" && rest ? app.canonical(decoded(rest)) : null;
  const view = views[name] && name !== "chat" ? name : "chat";
  app.route = { view, key };
  document.body.dataset.view = view;
  document.body.dataset.pane = view === "chat" && !key ? "list" : "main";
  for (const [id, v] of Object.entries(views)) v.el.hidden = id !== view;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  views.chat.open(key);
  for (const id of ["activity", "overview", "events", "archive"]) views[id].show(id === view);
  nameWindow(app);
  app.emit("route");
  if (key && key === app.write) views.chat.focus();
  app.write = null;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const NAMES = { activity: "Activity", overview: "Overview", events: "Events", archive: "Archive" };

function nameWindow(app) {
  const { view, key } = app.route;
  const name = NAMES[view] ?? (key ? title(app.sessions.get(key) ?? { key }) : "");
  document.title = name ? `${name} · Parley` : "Parley";
}

/** admit asks a person for what the gateway wants, and tries again. */
function admit(app) {
  let end = null;
  app.on("status", async ({ state, error }) => {
    if (state !== "refused") {
      if (state === "connected") end?.(null);
      return;
    }
    if (end) return;
    const code = error.details?.code;
    if (code === "AUTH_DEVICE_TOKEN_MISMATCH") await keepDeviceToken("");
    const poll = code === "PAIRING_REQUIRED" ? setInterval(() => app.conn.retry(), 5000) : 0;
    const given = await login(error, (finish) => (end = finish));
    clearInterval(poll);
    end = null;
    if (!given) return;
    if (given.token) sessionStorage.setItem(TOKEN, given.token);
    if (given.token || given.password) app.conn.setCredentials(given);
    app.conn.retry();
  });
}

/** wake connects at once when there is reason to hope. */
function wake(app) {
  const retry = () => app.conn.status.state === "waiting" && app.conn.retry();
  addEventListener("online", retry);
  document.addEventListener("visibilitychange", () => !document.hidden && retry());
  app.on("connected", () => app.emit("route"));
}

function keys(app, actions, side, views) {
  const forgotten = async () => {
    await forget().catch(() => {});
    sessionStorage.clear();
    location.replace(location.pathname);
  };
  const showHelp = () => help(app.conn.hello?.server?.version, forgotten);
  document.getElementById("help").append(icon("help"));
  document.getElementById("help").addEventListener("click", showHelp);
  document.getElementById("skip").addEventListener("click", () => document.getElementById("main").focus());
  const go = (hash) => () => (location.hash = hash);
  shortcuts({
    "?": showHelp,
    "/": () => side.focusSearch(),
    n: () => actions.create(),
    j: () => side.step(1),
    k: () => side.step(-1),
    c: () => views.chat.focus(),
    z: () => actions.undo(),
    1: go("#/"), 2: go("#/activity"), 3: go("#/overview"), 4: go("#/events"), 5: go("#/archive"),
  });
}

begin();
