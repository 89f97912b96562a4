// Markdown as trees of plain objects; markdown.js draws them. Only what answers
// of models use is understood, everything else stays text. The work grows with
// the length of the text, whatever it holds; nesting ends at DEEPEST.

const DEEPEST = 8;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const QUOTE = /^ {0,3}> ?/;
const ENTRY = /^( *)([-*+]|\d{1,9}[.)])( +|$)/;
const DIVIDER = /^ *\|? *:?-+:? *(\| *:?-+:? *)*\|? *$/;

/**
 * blocks splits a text into {kind, source, …}: "code" {language, text},
 * "heading" {level, text}, "rule", "quote" {blocks}, "list" {ordered, start,
 * entries: [blocks]}, "table" {head, rows}, "paragraph" {text}. source is the
 * text that a block was made of.
 */
export function blocks(text, depth = 0) {
  return new Reader(text.replace(/\r\n?/g, "\n").split("\n"), depth).all();
}

class Reader {
  constructor(lines, depth) {
    this.lines = lines;
    this.depth = depth;
    this.at = 0;
  }

  all() {
    const out = [];
    while (this.at < this.lines.length) {
      if (this.lines[this.at].trim() === "") {
        this.at++;
        continue;
      }
      const from = this.at;
      const block = this.block(this.lines[from]);
      block.source = this.lines.slice(from, this.at).join("\n");
      out.push(block);
    }
    return out;
  }

  block(line) {
    let m;
    if ((m = FENCE.exec(line))) return this.code(m[1], m[2]);
    if ((m = HEADING.exec(line))) {
      this.at++;
      return { kind: "heading", level: m[1].length, text: m[2] };
    }
    if (RULE.test(line)) {
      this.at++;
      return { kind: "rule" };
    }
    if (this.depth < DEEPEST && QUOTE.test(line)) return this.quote();
    if (this.depth < DEEPEST && (m = ENTRY.exec(line))) return this.list(m);
    if (line.includes("|") && DIVIDER.test(this.lines[this.at + 1] ?? "") && this.lines[this.at + 1].includes("-")) {
      const table = this.table();
      if (table) return table;
    }
    return this.paragraph();
  }

  code(fence, language) {
    const end = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
    const text = [];
    for (this.at++; this.at < this.lines.length; this.at++) {
      if (end.test(this.lines[this.at])) {
        this.at++;
        break;
      }
      text.push(this.lines[this.at]);
    }
    return { kind: "code", language, text: text.join("\n") };
  }

  quote() {
    const inner = [];
    while (this.at < this.lines.length && QUOTE.test(this.lines[this.at])) inner.push(this.lines[this.at++].replace(QUOTE, ""));
    return { kind: "quote", blocks: blocks(inner.join("\n"), this.depth + 1) };
  }

  list(first) {
    const ordered = /\d/.test(first[2]);
    const indent = first[1].length;
    const entries = [];
    while (this.at < this.lines.length) {
      const m = ENTRY.exec(this.lines[this.at]);
      if (!m || m[1].length > indent + 3 || m[1].length < indent || /\d/.test(m[2]) !== ordered) break;
      entries.push(blocks(this.entry(m).join("\n"), this.depth + 1));
    }
    return { kind: "list", ordered, start: ordered ? parseInt(first[2], 10) : 0, entries };
  }

  /** entry takes the lines of one entry: its own and those that are indented below it. */
  entry(m) {
    const lines = [this.lines[this.at++].slice(m[0].length)];
    while (this.at < this.lines.length) {
      const line = this.lines[this.at];
      const below = line.search(/\S/);
      if (below < 0) {
        const next = this.lines[this.at + 1];
        if (next === undefined || next.search(/\S/) <= m[1].length) break;
      } else if (below <= m[1].length) {
        if (ENTRY.test(line) || this.begins(line)) break;
      } else if (below <= m[1].length + 1 && ENTRY.test(line)) {
        break;
      }
      lines.push(line.slice(Math.min(Math.max(below, 0), m[1].length + m[2].length + 1)));
      this.at++;
    }
    while (this.at < this.lines.length && this.lines[this.at].trim() === "" && ENTRY.test(this.lines[this.at + 1] ?? "")) this.at++;
    return lines;
  }

  /** begins reports whether a line begins something that ends a paragraph. */
  begins(line) {
    return line.trim() === "" || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line);
  }

  table() {
    const head = cells(this.lines[this.at]);
    if (cells(this.lines[this.at + 1]).length !== head.length) return null;
    const rows = [];
    for (this.at += 2; this.at < this.lines.length && this.lines[this.at].includes("|"); this.at++) {
      rows.push(cells(this.lines[this.at]).slice(0, head.length));
    }
    return { kind: "table", head, rows };
  }

  paragraph() {
    const text = [this.lines[this.at++]];
    while (this.at < this.lines.length && !this.begins(this.lines[this.at]) && !(this.depth < DEEPEST && ENTRY.test(this.lines[this.at]))) text.push(this.lines[this.at++]);
    return { kind: "paragraph", text: text.map((line) => line.trim()).join("\n") };
  }
}

function cells(line) {
  return line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").map((cell) => cell.trim());
}
