// The marks inside a line of Markdown: code, bold, italic, struck out, links. The
// text is walked once from the left; a mark that nothing closes is text.

const CLOSED_WITHIN = 4000; // letters that the end of a mark is looked for in
const SCHEME = /^(https?:\/\/|mailto:)/i;
const BARE = /^https?:\/\/[^\s<>"'`]+/i;

/** inline splits a text into strings and {kind, …}: "code" {text}, "strong", "emphasis" and "struck" {parts}, "link" {parts, href}, "break". */
export function inline(text, depth = 0) {
  const out = [];
  let plain = "";
  const take = (part, length) => {
    if (plain) out.push(plain);
    plain = "";
    out.push(part);
    return length;
  };
  for (let i = 0; i < text.length; ) {
    const found = depth < 6 ? part(text, i, depth) : null;
    if (found) i += take(found.part, found.length);
    else plain += text[i] === "\\" && /[\\`*_~[\]()#>!|]/.test(text[i + 1] ?? "") ? text[++i] : text[i], i++;
  }
  if (plain) out.push(plain);
  return out;
}

function part(text, i, depth) {
  switch (text[i]) {
    case "\n":
      return { part: { kind: "break" }, length: 1 };
    case "`":
      return code(text, i);
    case "*":
    case "_":
      return mark(text, i, text[i + 1] === text[i] ? "strong" : "emphasis", text[i + 1] === text[i] ? 2 : 1, depth);
    case "~":
      return text[i + 1] === "~" ? mark(text, i, "struck", 2, depth) : null;
    case "!":
      return text[i + 1] === "[" ? link(text, i + 1, depth, 1) : null;
    case "[":
      return link(text, i, depth, 0);
    case "h":
    case "H":
      return bare(text, i);
    default:
      return null;
  }
}

function code(text, i) {
  const ticks = /^`+/.exec(text.slice(i, i + 20))[0];
  const from = i + ticks.length;
  for (let end = text.indexOf(ticks, from); end >= 0 && end - from < CLOSED_WITHIN; end = text.indexOf(ticks, end + 1)) {
    if (text[end + ticks.length] === "`" || text[end - 1] === "`") continue;
    const inside = text.slice(from, end);
    return { part: { kind: "code", text: inside.length > 2 ? inside.replace(/^ (.*) $/s, "$1") : inside }, length: end + ticks.length - i };
  }
  return null;
}

function mark(text, i, kind, size, depth) {
  const sign = text.slice(i, i + size);
  const from = i + size;
  if (!/\S/.test(text[from] ?? " ")) return null;
  if (sign[0] === "_" && /\w/.test(text[i - 1] ?? "")) return null; // snake_case
  for (let end = text.indexOf(sign, from + 1); end >= 0 && end - from < CLOSED_WITHIN; end = text.indexOf(sign, end + 1)) {
    const closes = /\S/.test(text[end - 1]) && !(size === 1 && (text[end + 1] === sign || text[end - 1] === sign)) && !(sign[0] === "_" && /\w/.test(text[end + size] ?? ""));
    if (closes) return { part: { kind, parts: inline(text.slice(from, end), depth + 1) }, length: end + size - i };
  }
  return null;
}

function link(text, i, depth, before) {
  const close = text.indexOf("](", i);
  if (close < 0 || close - i > CLOSED_WITHIN || text.slice(i + 1, close).includes("\n\n")) return null;
  const end = text.indexOf(")", close);
  if (end < 0 || end - close > CLOSED_WITHIN) return null;
  const href = text.slice(close + 2, end).trim().split(/\s/)[0];
  if (!SCHEME.test(href)) return null; // also javascript: and data:
  const parts = inline(text.slice(i + 1, close) || href, depth + 1).filter((p) => p.kind !== "link");
  return { part: { kind: "link", href, parts: parts.length ? parts : [href] }, length: end + 1 - i + before };
}

function bare(text, i) {
  if (/\w/.test(text[i - 1] ?? "")) return null;
  const m = BARE.exec(text.slice(i, i + 2000));
  if (!m) return null;
  const href = m[0].replace(/[.,;:!?)\]}]+$/, "");
  return { part: { kind: "link", href, parts: [href] }, length: href.length };
}
