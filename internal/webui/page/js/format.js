// How times, numbers and sessions are written for people.
const LANGUAGE = globalThis.navigator?.language;
const clockFormat = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const yearFormat = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", year: "numeric" });
const wholeFormat = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "full", timeStyle: "medium" });
const numberFormat = new Intl.NumberFormat(LANGUAGE);

export const number = (n) => numberFormat.format(n);

/** moment is a time of day, with the date unless it is today's. */
export function moment(ms, now = Date.now()) {
  const at = new Date(ms), today = new Date(now);
  if (at.toDateString() === today.toDateString()) return clockFormat.format(at);
  return (at.getFullYear() === today.getFullYear() ? dayFormat : yearFormat).format(at) + ", " + clockFormat.format(at);
}

/** exactly is a time in full. */
export const exactly = (ms) => wholeFormat.format(new Date(ms));

/** ago is how long something is past, in one short word: "now", "5 min", "3 h", "2 d", or a date. */
export function ago(ms, now = Date.now()) {
  const seconds = Math.max(0, (now - ms) / 1000);
  if (seconds < 45) return "now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`;
  if (seconds < 7 * 86_400) return `${Math.round(seconds / 86_400)} d`;
  const at = new Date(ms);
  return (at.getFullYear() === new Date(now).getFullYear() ? dayFormat : yearFormat).format(at);
}

/** span is a length of time: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". */
export function span(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** short is a large number in few letters: 999, 1.2k, 34k, 5.6M. */
export function short(n) {
  if (n < 1000) return String(Math.round(n));
  if (n < 10_000) return (n / 1000).toFixed(1) + "k";
  if (n < 1_000_000) return Math.round(n / 1000) + "k";
  return (n / 1_000_000).toFixed(1) + "M";
}

export function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

/** keyRest is what a session key says beside the agent. */
export function keyRest(key) {
  const parts = key.split(":");
  const rest = parts[0] === "agent" && parts.length > 2 ? parts.slice(2).join(":") : key;
  return rest.replace(/^dashboard:([0-9a-f]{8})[0-9a-f-]{28}$/, "session $1");
}

export const agentOf = (key) => (key.startsWith("agent:") ? key.split(":")[1] : "");

/** title is the name of a session's row. */
export function title(row) {
  return row.label || row.displayName || row.derivedTitle || keyRest(row.key);
}

/** count is "1 session", "5 sessions". */
export const count = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

/** cut shortens a text to n letters in one line. */
export function cut(text, n) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > n ? line.slice(0, n - 1) + "…" : line;
}
