import test from "node:test";
import assert from "node:assert/strict";
import { blocks } from "../page/js/blocks.js";
import { inline } from "../page/js/inline.js";

/** bare leaves out where blocks came from. */
function bare(list) {
  return list.map(({ source, ...b }) => ({ ...b, ...(b.blocks && { blocks: bare(b.blocks) }), ...(b.entries && { entries: b.entries.map(bare) }) }));
}

const p = (text) => ({ kind: "paragraph", text });

test("blocks", () => {
  for (const [text, want] of [
    ["", []],
    ["one\ntwo\n\nthree", [p("one\ntwo"), p("three")]],
    ["# H\ntext", [{ kind: "heading", level: 1, text: "H" }, p("text")]],
    ["#no", [p("#no")]],
    ["```js\nlet a = 1;\n\n# no\n```\nafter", [{ kind: "code", language: "js", text: "let a = 1;\n\n# no" }, p("after")]],
    ["```\nunfinished", [{ kind: "code", language: "", text: "unfinished" }]],
    ["````\n```\n````", [{ kind: "code", language: "", text: "```" }]],
    ["---\n***", [{ kind: "rule" }, { kind: "rule" }]],
    ["> a\n> > b", [{ kind: "quote", blocks: [p("a"), { kind: "quote", blocks: [p("b")] }] }]],
    ["- a\n- b\n  - c\n- d", [{ kind: "list", ordered: false, start: 0, entries: [[p("a")], [p("b"), { kind: "list", ordered: false, start: 0, entries: [[p("c")]] }], [p("d")]] }]],
    ["3. a\n4. b", [{ kind: "list", ordered: true, start: 3, entries: [[p("a")], [p("b")]] }]],
    ["1. a\n\n2. b\n\nafter", [{ kind: "list", ordered: true, start: 1, entries: [[p("a")], [p("b")]] }, p("after")]],
    ["1. a\n   ```\n   x\n   ```\n2. b", [{ kind: "list", ordered: true, start: 1, entries: [[p("a"), { kind: "code", language: "", text: "x" }], [p("b")]] }]],
    ["text\n- a", [p("text"), { kind: "list", ordered: false, start: 0, entries: [[p("a")]] }]],
    ["|a|b|\n|-|:-:|\n|1|2|", [{ kind: "table", head: ["a", "b"], rows: [["1", "2"]] }]],
    ["a | b\nno table", [p("a | b\nno table")]],
    ["-", [{ kind: "list", ordered: false, start: 0, entries: [[]] }]],
  ]) {
    assert.deepEqual(bare(blocks(text)), want, text);
  }
});

test("the sources of blocks are the text", () => {
  const text = "# H\npara\nmore\n\n- a\n  b\n- c\n\n```\ncode\n```\n> q";
  assert.deepEqual(blocks(text).map((b) => b.source), ["# H", "para\nmore", "- a\n  b\n- c", "```\ncode\n```", "> q"]);
});

test("inline", () => {
  const link = (href, text = href) => ({ kind: "link", href, parts: [text] });
  for (const [text, want] of [
    ["plain", ["plain"]],
    ["a `b*c*` d", ["a ", { kind: "code", text: "b*c*" }, " d"]],
    ["``a`b``", [{ kind: "code", text: "a`b" }]],
    ["open `tick", ["open `tick"]],
    ["**b** *i* _j_ ~~s~~", [{ kind: "strong", parts: ["b"] }, " ", { kind: "emphasis", parts: ["i"] }, " ", { kind: "emphasis", parts: ["j"] }, " ", { kind: "struck", parts: ["s"] }]],
    ["**a *b* c**", [{ kind: "strong", parts: ["a ", { kind: "emphasis", parts: ["b"] }, " c"] }]],
    ["snake_case_name 2*3*4 ** x", ["snake_case_name 2", { kind: "emphasis", parts: ["3"] }, "4 ** x"]],
    ["\\*not\\*", ["*not*"]],
    ["[t](https://a.b/c) ![i](https://a.b/i.png)", [link("https://a.b/c", "t"), " ", link("https://a.b/i.png", "i")]],
    ["see https://a.b/c?d=e).", ["see ", link("https://a.b/c?d=e"), ")."]],
    ["[x](javascript:alert(1)) [y](data:text/html,z) [z](//evil)", ["[x](javascript:alert(1)) [y](data:text/html,z) [z](//evil)"]],
    ["a\nb", ["a", { kind: "break" }, "b"]],
    ["<img src=x onerror=alert(1)>", ["<img src=x onerror=alert(1)>"]],
  ]) {
    assert.deepEqual(inline(text), want, text);
  }
});

// Quadratic cost would take minutes, and the runner ends a test after one.
test("hostile texts come to an end", { timeout: 60_000 }, () => {
  for (const piece of ["*", "_", "`", "[", "> ", "- ", "**a ", "[a](", "~~", "|", "\n", "  - a\n", "> - ", "``` ", "<", "\\"]) {
    const text = piece.repeat(Math.ceil(20_000 / piece.length));
    for (const block of blocks(text)) inline(block.text ?? "");
  }
});
