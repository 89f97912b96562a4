// Draws Markdown. While an answer streams in, only the blocks at its end are
// drawn anew.
import { blocks } from "./blocks.js";
import { inline } from "./inline.js";
import { h, iconButton } from "./dom.js";

/** draw shows a text in an element that nothing else writes into. */
export function draw(el, text) {
  const list = blocks(text);
  const shown = el.parleyBlocks ?? [];
  let same = 0;
  while (same < shown.length && same < list.length && shown[same].source === list[same].source && shown[same].kind === list[same].kind) same++;
  while (el.children.length > same) el.lastElementChild.remove();
  for (const block of list.slice(same)) el.append(block.source === undefined ? "" : drawBlock(block));
  el.parleyBlocks = list;
  return el;
}

function drawBlock(block) {
  switch (block.kind) {
    case "code":
      return drawCode(block);
    case "heading":
      return h(`h${Math.min(6, block.level + 2)}`, {}, drawInline(block.text));
    case "rule":
      return h("hr");
    case "quote":
      return h("blockquote", {}, block.blocks.map(drawBlock));
    case "list":
      return h(block.ordered ? "ol" : "ul", { start: block.ordered && block.start !== 1 ? block.start : null }, block.entries.map(drawEntry));
    case "table":
      return drawTable(block);
    default:
      return h("p", {}, drawInline(block.text));
  }
}

/** drawEntry leaves out the paragraph around the first line of an entry. */
function drawEntry(list) {
  const [first, ...rest] = list;
  return h("li", {}, first?.kind === "paragraph" ? drawInline(first.text) : first && drawBlock(first), rest.map(drawBlock));
}

function drawCode({ text, language }) {
  const copy = iconButton("copy", "Copy the code", () => navigator.clipboard?.writeText(text));
  return h("div", { class: "code" }, h("pre", { tabIndex: 0, "aria-label": language ? `Code, ${language}` : "Code", role: "group" }, h("code", {}, text)), copy);
}

function drawTable({ head, rows }) {
  return h(
    "div",
    { class: "table-scroll", tabIndex: 0, role: "group", "aria-label": "Table" },
    h("table", {}, h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, drawInline(cell))))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, drawInline(cell))))))),
  );
}

const TAGS = { strong: "strong", emphasis: "em", struck: "s" };

function drawInline(text) {
  return inline(text).map(drawPart);
}

function drawPart(part) {
  if (typeof part === "string") return part;
  if (part.kind === "break") return h("br");
  if (part.kind === "code") return h("code", {}, part.text);
  if (part.kind === "link") return h("a", { href: part.href, target: "_blank", rel: "noopener noreferrer nofollow" }, part.parts.map(drawPart));
  return h(TAGS[part.kind], {}, part.parts.map(drawPart));
}
