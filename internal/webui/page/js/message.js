// Draws the rows of a conversation.
import { button, fill, h, icon, iconButton, show } from "./dom.js";
import { draw } from "./markdown.js";
import { exactly, moment, short, span } from "./format.js";
import { textOf } from "./thread.js";

// Marks that models give to the programs around them; chat.history has taken them
// out, events have not.
const TAGS = /\[\[\s*(reply_to_current|reply_to\s*:[^\]]*|audio_as_voice)\s*\]\]/gi;

/** drawRow makes the element of a row of a Thread. place is {index, count}; acts are copy, fork, retry, edit, discard, reread. */
export function drawRow(row, place, names, acts) {
  const el = drawKind(row, names, acts);
  el.setAttribute("aria-posinset", String(place.index + 1));
  el.setAttribute("aria-setsize", String(place.count));
  el.tabIndex = -1;
  return el;
}

function drawKind(row, names, acts) {
  switch (row.kind) {
    case "gap":
      return drawGap(row, acts);
    case "silent":
      return h("article", { class: "row-silent", "aria-label": "A message without text" });
    case "pending":
      return drawPending(row.entry, acts, row.busy);
    case "stream":
      return drawStream(row.run, names);
    case "notice":
      return h("article", { class: `row notice ${row.tone ?? ""}`, "aria-label": "Notice" }, h("p", {}, icon(row.tone === "bad" ? "warn" : "help"), h("span", {}, row.text)));
    default:
      return drawMessage(row, names, acts);
  }
}

function drawGap(row, acts) {
  const body = row.error
    ? [h("p", {}, `Could not be read: ${row.error.message}. `), button("Try again", acts.reread, { kind: "quiet" })]
    : [h("span", { class: "bone" }), h("span", { class: "bone short" })];
  return h("article", { class: "row gap", dataset: { gap: "" }, "aria-label": row.error ? "Messages that could not be read" : "Loading" }, body);
}

const ROLES = { user: "You", assistant: "Assistant", system: "System", toolResult: "Result of a tool", tool: "Result of a tool" };

function drawMessage({ message, seq }, names, acts) {
  if (message.__openclaw?.kind === "compaction") {
    return h("article", { class: "row divider", "aria-label": "Compaction" }, h("span", {}, "Older messages were compacted here"));
  }
  const role = ROLES[message.role] ? message.role : "system";
  const who = role === "user" ? sender(message) : role === "assistant" ? names.assistant : ROLES[role];
  const when = typeof message.timestamp === "number" ? message.timestamp : 0;
  const body = h("div", { class: "body" }, drawContent(message, role));
  const text = textOf(message);
  const el = h(
    "article",
    { class: `row message from-${role}`, "aria-label": when ? `${who}, ${moment(when)}` : who },
    h(
      "header",
      {},
      h("span", { class: "who" }, who),
      when ? h("time", { datetime: new Date(when).toISOString(), title: exactly(when) }, moment(when)) : null,
      h("span", { class: "facts" }, facts(message)),
      h(
        "span",
        { class: "acts" },
        text && iconButton("copy", "Copy the text", () => acts.copy(text)),
        seq && message.__openclaw?.id && iconButton("fork", "Continue from here in a new session", () => acts.fork(message.__openclaw.id)),
      ),
    ),
    body,
    drawEnd(message, text),
  );
  return el;
}

function sender(message) {
  const label = message.senderLabel;
  return label && label !== "openclaw-control-ui" ? label : ROLES.user;
}

/** facts is the small print of an answer: the model and what it used. */
function facts({ role, model, usage }) {
  if (role !== "assistant" || !usage) return "";
  const parts = [];
  if (model && model !== "gateway-injected") parts.push(model);
  if (usage.input || usage.output) parts.push(`↑${short(usage.input ?? 0)} ↓${short(usage.output ?? 0)}`);
  return parts.join(" · ");
}

function drawEnd({ stopReason, errorMessage, openclawAbort }, text) {
  if (stopReason === "error") return h("p", { class: "end bad" }, icon("warn"), h("span", {}, errorMessage || "The answer failed."));
  if (openclawAbort) return h("p", { class: "end" }, icon("stop"), h("span", {}, "Stopped here"));
  if (stopReason === "aborted" && !text) return h("p", { class: "end" }, icon("stop"), h("span", {}, "Stopped before it began"));
  return null;
}

function drawContent(message, role) {
  const { content } = message;
  const list = Array.isArray(content) ? content : [{ type: "text", text: textOf(message) }];
  const parts = list.map((block) => drawPart(block, role));
  for (const path of message.MediaPaths ?? (message.MediaPath ? [message.MediaPath] : [])) parts.push(chip("image", String(path).split("/").pop()));
  return parts;
}

function drawPart(block, role) {
  switch (block?.type) {
    case "text":
      return drawText(block.text ?? "", role);
    case "thinking":
      return details("thought", "Thinking", block.thinking ?? "");
    case "toolCall":
      return details("tool", `Calls ${block.name ?? "a tool"}`, pretty(block.arguments));
    case "image":
      return chip("image", block.mimeType ?? "Picture");
    default:
      return null;
  }
}

function drawText(text, role) {
  const shown = text.replace(TAGS, "").trim();
  if (!shown) return null;
  if (role === "user" || role === "system") return h("p", { class: "plain" }, shown);
  if (role === "assistant") return draw(h("div", { class: "prose" }), shown);
  return details("tool", shown.split("\n", 1)[0].slice(0, 100), shown);
}

function details(name, title, text) {
  return h("details", { class: "fold" }, h("summary", {}, icon(name), h("span", {}, title)), h("pre", { tabIndex: 0, role: "group", "aria-label": title }, text));
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? {}, null, 2));

const chip = (name, text) => h("p", { class: "chip" }, icon(name), h("span", {}, text));

const PENDING = {
  waiting: "Goes when the connection is back",
  sending: "Sending…",
  unsure: "Not confirmed yet: asked again when the connection is back",
  accepted: "Sent",
};

/** drawPending draws what was typed and is not in the transcript yet. */
export function drawPending(entry, acts, busy) {
  const failed = entry.state === "failed";
  const state = entry.state === "accepted" && busy ? "Has its turn when the answer is done" : PENDING[entry.state];
  return h(
    "article",
    { class: `row message from-user pending ${entry.state}`, "aria-label": failed ? "Your message, not sent" : "Your message, on its way" },
    h("header", {}, h("span", { class: "who" }, ROLES.user), h("span", { class: "facts" }, failed ? "" : state)),
    h("div", { class: "body" }, entry.text && h("p", { class: "plain" }, entry.text), entry.attachments.map((a) => h("img", { class: "thumb", src: `data:${a.mimeType};base64,${a.content}`, alt: a.fileName }))),
    failed &&
      h(
        "p",
        { class: "end bad" },
        icon("warn"),
        h("span", {}, `Not sent: ${entry.error}`),
        h("span", { class: "end-acts" }, button("Try again", () => acts.retry(entry.id)), button("Edit", () => acts.edit(entry.id)), button("Discard", () => acts.discard(entry.id))),
      ),
  );
}

function drawStream(run, names) {
  const el = h(
    "article",
    { class: "row message from-assistant stream", "aria-busy": "true", "aria-label": `${names.assistant} is answering` },
    h("header", {}, h("span", { class: "who" }, names.assistant), h("span", { class: "facts timer" })),
    h("div", { class: "body" }, h("div", { class: "prose" }), h("p", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"))),
  );
  showStream(el, run);
  return el;
}

/** showStream brings the element of a running answer up to date. */
export function showStream(el, run) {
  const text = run.text.slice(run.taken).replace(TAGS, "").trim();
  draw(el.querySelector(".prose"), text);
  el.classList.toggle("speaking", text !== "");
  show(el.querySelector(".timer"), span(Date.now() - run.startedAt).replace(/\.\d s$/, " s"));
}

/** emptyThread is what stands where there is no message yet. */
export function emptyThread(text) {
  return fill(h("div", { class: "empty" }), icon("chat"), h("p", {}, text));
}
