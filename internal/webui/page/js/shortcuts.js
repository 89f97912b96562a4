// Keys that work wherever nothing is being written, and the dialog that lists them.
import { dialog } from "./dialog.js";
import { h } from "./dom.js";

const LIST = [
  ["Anywhere", [["?", "This help"], ["/", "Search sessions"], ["n", "New session"], ["j, k", "Next and previous session"], ["c", "Write a message"], ["z", "Undo the last deletion"], ["1 … 5", "Sessions, Activity, Overview, Events, Archive"]]],
  ["While writing", [["Enter", "Send; queue while an answer is given"], ["Shift+Enter", "New line"], ["Ctrl+Enter", "Steer: interrupt the answer with this message"], ["Esc", "Stop the answer"]]],
  ["In the messages", [["Home, End", "First and latest message"], ["Alt+↑, Alt+↓", "From message to message"]]],
  ["In the list", [["↑, ↓", "From session to session"], ["Delete", "Delete the session"]]],
];

/** shortcuts listens for keys; keys is a table of what they do. */
export function shortcuts(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select, dialog, [role=menu]") || document.querySelector("dialog[open]")) return;
    const run = keys[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  });
}

export function help(version, forget) {
  return dialog({
    title: "Keyboard and help",
    kind: "help",
    body: [
      h("div", { class: "keys" }, LIST.map(([title, keys]) => h("section", {}, h("h3", {}, title), h("dl", {}, keys.map(([key, text]) => h("div", {}, h("dt", {}, key.split(", ").map((k, i) => [i ? ", " : "", h("kbd", {}, k)])), h("dd", {}, text))))))),
      h("p", { class: "small" }, `Parley ${version ?? ""}. This page speaks to its own gateway only. The token stays in this tab, the key that this browser is known by in this browser.`),
    ],
    actions: [{ text: "Forget this browser", value: "forget" }, { text: "Close", value: null, kind: "primary" }],
  }).then((value) => value === "forget" && forget());
}
