// Dialogs, menus and notices.
import { button, fill, h, icon } from "./dom.js";

/**
 * dialog asks something: it resolves with the value of the button that was
 * pressed, or null when it was left. body are elements; actions are {text, value,
 * kind, submit}; with stay(value, dialog) a press can be refused, by a text that
 * says why. onOpen is given what ends it from outside, and the dialog.
 */
export function dialog({ title, body = [], actions, stay = () => "", onOpen = () => {}, forced = false, kind = "" }) {
  return new Promise((resolve) => {
    const fault = h("p", { class: "fault", role: "alert" });
    const press = async (value) => {
      fault.textContent = "";
      const why = value === null ? "" : await stay(value, el);
      if (why) fault.textContent = why;
      else finish(value);
    };
    const buttons = actions.map((a) => (a.submit ? h("button", { type: "submit", class: `button ${a.kind ?? ""}` }, a.text) : button(a.text, () => press(a.value), { kind: a.kind })));
    const submit = actions.find((a) => a.submit);
    const id = `dialog-${Math.random().toString(36).slice(2)}`;
    const form = h("form", { on: { submit: (e) => (e.preventDefault(), press(submit.value)) } }, h("h2", { id, tabIndex: -1, autofocus: kind === "help" }, title), body, fault, h("div", { class: "dialog-acts" }, buttons));
    const el = h("dialog", { class: `dialog ${kind}`, "aria-labelledby": id, on: { cancel: (e) => (e.preventDefault(), forced || finish(null)) } }, form);
    const before = document.activeElement;
    let ended = false;
    const finish = (value) => {
      if (ended) return;
      ended = true;
      el.close();
      el.remove();
      if (before?.isConnected) before.focus();
      resolve(value);
    };
    if (!forced) el.addEventListener("click", (e) => e.target === el && finish(null));
    document.body.append(el);
    el.showModal();
    onOpen(finish, el);
  });
}

/** confirmed asks before something that cannot be undone, or not easily. */
export async function confirmed(title, text, action) {
  return (await dialog({ title, body: [h("p", {}, text)], actions: [{ text: "Cancel", value: null }, { text: action, value: true, kind: "danger", submit: true }] })) === true;
}

/** field is a labelled control of a dialog. */
export function field(label, control, hint = "") {
  return h("label", { class: "labelled" }, h("span", {}, label), control, hint && h("small", {}, hint));
}

/** menu opens below a button: entries are {text, icon, run, kind, disabled, title} or null for a line between. */
export function menu(anchor, label, entries) {
  const el = h("div", { class: "menu", role: "menu", "aria-label": label, popover: "auto" });
  fill(
    el,
    entries.map((entry) =>
      entry === null
        ? h("hr")
        : h("button", { type: "button", role: "menuitem", tabIndex: -1, class: entry.kind ?? "", disabled: entry.disabled, title: entry.title, on: { click: () => (el.hidePopover(), entry.run()) } }, icon(entry.icon), entry.text),
    ),
  );
  document.body.append(el);
  el.addEventListener("keydown", (event) => step(event, el));
  el.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    anchor.setAttribute("aria-expanded", "false");
    const inside = el.contains(document.activeElement) || document.activeElement === document.body;
    el.remove();
    if (inside && anchor.isConnected) anchor.focus();
  });
  anchor.setAttribute("aria-haspopup", "menu");
  anchor.setAttribute("aria-expanded", "true");
  el.showPopover();
  const at = anchor.getBoundingClientRect();
  el.style.top = `${Math.min(at.bottom + 4, innerHeight - el.offsetHeight - 8)}px`;
  el.style.left = `${Math.max(8, Math.min(at.right - el.offsetWidth, innerWidth - el.offsetWidth - 8))}px`;
  el.querySelector("button:not(:disabled)")?.focus();
}

function step(event, el) {
  const all = [...el.querySelectorAll("button:not(:disabled)")];
  const at = all.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (event.key === "Tab") el.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  all[(to + all.length) % all.length]?.focus();
}

const TOAST_LIFE = 8000;

/** Toasts shows notices that go away by themselves, but not while somebody is at them. */
export class Toasts {
  #el;

  constructor(el) {
    this.#el = el;
  }

  /** show tells something; action is {text, run}. It gives what takes the notice away. */
  show(text, { bad = false, action = null, life = action ? 2 * TOAST_LIFE : TOAST_LIFE } = {}) {
    const gone = () => {
      clearTimeout(timer);
      const inside = el.contains(document.activeElement);
      el.remove();
      if (inside) document.getElementById("main").focus();
    };
    const el = h("div", { class: `toast ${bad ? "bad" : ""}`, role: bad ? "alert" : "status" });
    this.#el.append(el);
    let timer = setTimeout(gone, life);
    const hold = () => clearTimeout(timer);
    const go = () => {
      clearTimeout(timer);
      timer = setTimeout(gone, life);
    };
    for (const name of ["pointerenter", "focusin"]) el.addEventListener(name, hold);
    for (const name of ["pointerleave", "focusout"]) el.addEventListener(name, go);
    // Filled behind the insertion, so that screen readers notice the change.
    fill(
      el,
      bad && icon("warn"),
      h("span", {}, text),
      action && button(action.text, () => (gone(), action.run()), { kind: "quiet" }),
      h("button", { type: "button", class: "icon-button", "aria-label": "Dismiss", on: { click: gone } }, icon("close")),
    );
    while (this.#el.children.length > 4) this.#el.firstElementChild.remove();
    return gone;
  }
}
