// Elements are made here and nowhere else. All text becomes text: nothing in this
// page parses HTML.
import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * h makes an element: h("button", {class: "x", "aria-label": "y", on: {click: f}}, "text", child).
 * Properties that the element has as such (value, disabled, hidden …) are set as
 * properties, others as attributes; null, undefined and false leave out.
 */
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(el, name, value);
  add(el, children);
  return el;
}

function set(el, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "class") el.className = value;
  else if (name === "on") for (const [event, f] of Object.entries(value)) el.addEventListener(event, f);
  else if (name === "dataset") Object.assign(el.dataset, value);
  else if (PROPERTIES.has(name)) el[name] = value;
  else el.setAttribute(name, value === true ? "" : String(value));
}

const PROPERTIES = new Set(["min", "max", "high", "value", "checked", "disabled", "hidden", "open", "selected", "multiple", "indeterminate", "tabIndex"]);

function add(el, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child instanceof Node ? child : String(child));
  }
}

/** fill replaces what an element holds. */
export function fill(el, ...children) {
  el.replaceChildren();
  add(el, children);
  return el;
}

/** show writes text into an element unless it is there already. */
export function show(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** icon draws one of ICONS; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** iconButton is a button that shows an icon and says text. */
export function iconButton(name, text, click, props = {}) {
  return h("button", { type: "button", "aria-label": text, title: text, ...props, class: "icon-button " + (props.class ?? ""), on: { click } }, icon(name));
}

/** button is a button with text, and an icon if one is named. */
export function button(text, click, { icon: name, kind = "", ...props } = {}) {
  return h("button", { type: "button", ...props, class: "button " + kind, on: { click } }, name && icon(name), text);
}

/** reconcile makes el hold the elements of these keys in order; it makes with make what is not there yet, and keeps the rest. */
export function reconcile(el, keys, make) {
  const there = new Map([...el.children].map((child) => [child.dataset.key, child]));
  let at = el.firstElementChild;
  for (const key of keys) {
    const child = there.get(key) ?? make(key);
    child.dataset.key = key;
    there.delete(key);
    if (child === at) at = at.nextElementSibling;
    else el.insertBefore(child, at);
  }
  for (const child of there.values()) child.remove();
}
