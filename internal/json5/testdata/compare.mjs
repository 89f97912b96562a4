// Compares our reading of JSON5 with that of the npm package json5.
//
//   JSON5_MODULES=<node_modules folder that holds json5> node compare.mjs < cases.json
//
// cases.json: [{text, json, line, column}]: a text, and either our JSON for it
// or the place of our error. Prints one line per difference; exit 1 if any.
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import path from "node:path";

const JSON5 = createRequire(path.resolve(process.env.JSON5_MODULES, "x.js"))("json5");

// JSON has no NaN: ours is null. `json` marks a value of JSON.parse, which may
// own a member __proto__; theirs owns it too, so both stay as they are.
const plain = (v) =>
  Number.isNaN(v) ? null
  : Array.isArray(v) ? v.map(plain)
  : v && typeof v === "object" ? new Map(Object.entries(v).map(([k, x]) => [k, plain(x)]))
  : v;

// They warn of U+2028 in strings.
console.warn = () => {};

// Columns count differently behind a character beyond the BMP, lines behind a
// lone CR, and a line end that stands where it must not counts as column 0.
const samePlace = (c, e) =>
  /[\r\u{10000}-\u{10ffff}]/u.test(c.text) || e.columnNumber === 0 || (e.lineNumber === c.line && e.columnNumber === c.column);

let text = "";
for await (const chunk of process.stdin) text += chunk;

let differences = 0;
for (const c of JSON.parse(text)) {
  let theirs, error;
  try {
    theirs = JSON5.parse(c.text);
  } catch (e) {
    error = e;
  }
  let problem = "";
  if (error && c.json !== undefined) problem = `they refuse it: ${error.message}; we read ${c.json}`;
  else if (!error && c.json === undefined) problem = `they read ${JSON.stringify(theirs)}; we refuse it at ${c.line}:${c.column}`;
  else if (!error && !isDeepStrictEqual(plain(theirs), plain(JSON.parse(c.json)))) problem = `they read ${JSON.stringify(theirs)}; we read ${c.json}`;
  else if (error && !samePlace(c, error)) problem = `they refuse it at ${error.lineNumber}:${error.columnNumber}; we at ${c.line}:${c.column}`;
  if (problem) {
    differences++;
    console.log(`${JSON.stringify(c.text)}: ${problem}`);
  }
}
process.exit(differences ? 1 : 0);
