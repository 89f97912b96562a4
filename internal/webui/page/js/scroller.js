// A column of any number of rows of any height, of which only those in sight, and
// some around them, are elements. It stays where the reader is while rows get
// their real height, arrive or go, and at the end while the reader is there.
import { Heights } from "./heights.js";

const AROUND = 600; // pixels above and below what is seen
const TALLEST = 15_000_000; // pixels that browsers can lay out reliably
const AT_END = 24; // so close to the end counts as at the end
const FIRST_GUESS = 72;

/**
 * Scroller shows rows in list, the only child of viewport. The source has
 * count, key(i), draw(i) → element, and optionally seen(first, last), which is
 * told what is in sight, and ends(atEnd). A row's element is kept as long as it
 * is in sight; redraw(key) makes it anew.
 */
export class Scroller {
  #viewport;
  #list;
  #source;
  #heights = new Heights(0, 0);
  #known = new Map(); // key → height of rows that were drawn once
  #sum = 0; // of #known
  #drawn = new Map(); // key → element
  #anchor = { key: null, index: 0, offset: 0 };
  #frame = 0;
  #resize;

  /** Whether the end is in sight, so that the column follows it. */
  atEnd = true;

  constructor(viewport, list, source) {
    this.#viewport = viewport;
    this.#list = list;
    this.#source = source;
    viewport.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#resize = new ResizeObserver(() => this.#soon());
    this.#resize.observe(viewport);
  }

  /** refresh looks at the rows anew: some have come, gone or changed places. */
  refresh() {
    const { count } = this.#source;
    const guess = this.#guess(count);
    this.#heights = Heights.of(count, (i) => this.#known.get(this.#source.key(i)) ?? guess);
    this.#soon();
  }

  #guess(count) {
    const mean = this.#known.size ? this.#sum / this.#known.size : FIRST_GUESS;
    return Math.max(1, Math.min(mean, TALLEST / Math.max(1, count)));
  }

  /** redraw makes the elements of these rows anew, if they are in sight. */
  redraw(keys) {
    for (const key of keys) {
      const el = this.#drawn.get(key);
      if (el) el.parleyStale = true;
    }
    this.#soon();
  }

  /** clear forgets everything: another source of rows stands behind the column. */
  clear() {
    for (const el of this.#drawn.values()) this.#resize.unobserve(el);
    this.#drawn.clear();
    this.#known.clear();
    this.#sum = 0;
    this.#list.replaceChildren();
    this.#anchor = { key: null, index: 0, offset: 0 };
    this.#setAtEnd(true);
    this.refresh();
  }

  /** element is the element of a row that is in sight. */
  element(key) {
    return this.#drawn.get(key);
  }

  toEnd() {
    this.#setAtEnd(true);
    this.#render();
  }

  /** to brings row i to the top of what is seen. */
  to(i) {
    this.#setAtEnd(false);
    this.#anchor = { key: this.#source.key(i), index: i, offset: 0 };
    this.#render();
  }

  #setAtEnd(atEnd) {
    if (atEnd === this.atEnd) return;
    this.atEnd = atEnd;
    this.#source.ends?.(atEnd);
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => this.#render());
  }

  #scrolled() {
    const v = this.#viewport;
    if (Math.abs(v.scrollTop - this.#set) < 1) return; // our own doing
    this.#setAtEnd(v.scrollTop + v.clientHeight >= v.scrollHeight - AT_END);
    this.#hold();
    this.#soon();
  }

  #set = -1; // where we have scrolled to

  /** #hold remembers which row is at the top of what is seen. */
  #hold() {
    const top = this.#viewport.scrollTop;
    const index = Math.max(0, this.#heights.at(top));
    this.#anchor = { key: this.#source.count ? this.#source.key(index) : null, index, offset: top - this.#heights.top(index) };
  }

  /** #place is the row that was at the top, wherever it is by now. */
  #place() {
    const { key, index } = this.#anchor;
    const { count } = this.#source;
    if (key === null || count === 0) return 0;
    for (let away = 0; away < 64; away++) {
      for (const i of [index + away, index - away]) if (i >= 0 && i < count && this.#source.key(i) === key) return i;
    }
    return Math.min(index, count - 1);
  }

  #render() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#viewport.clientHeight === 0) return; // not shown
    this.#measure();
    for (let round = 0; round < 4 && this.#pass(); round++);
    this.#hold();
  }

  /** #pass draws what is in sight from the anchor on; it reports whether heights came out other than expected. */
  #pass() {
    const v = this.#viewport;
    const { count } = this.#source;
    const index = this.#place();
    const total = this.#heights.total;
    let top = this.atEnd ? Math.max(0, total - v.clientHeight) : this.#heights.top(index) + this.#anchor.offset;
    top = Math.max(0, Math.min(top, total - v.clientHeight));
    const first = Math.max(0, this.#heights.at(top - AROUND));
    const last = count === 0 ? -1 : this.#heights.at(top + v.clientHeight + AROUND);
    this.#draw(first, last);
    this.#list.style.paddingTop = `${this.#heights.top(first)}px`;
    this.#list.style.paddingBottom = `${Math.max(0, total - this.#heights.top(last + 1))}px`;
    if (count > 0) this.#source.seen?.(this.#heights.at(top), this.#heights.at(top + v.clientHeight));
    const changed = this.#measure();
    if (changed) {
      this.#list.style.paddingTop = `${this.#heights.top(first)}px`;
      this.#list.style.paddingBottom = `${Math.max(0, this.#heights.total - this.#heights.top(last + 1))}px`;
    }
    const want = this.atEnd ? this.#list.offsetHeight - v.clientHeight : this.#heights.top(this.#place()) + this.#anchor.offset;
    if (Math.abs(v.scrollTop - want) >= 1) v.scrollTop = want;
    this.#set = v.scrollTop;
    return changed;
  }

  /** #draw makes the rows from first to last be the elements of the list. */
  #draw(first, last) {
    const wanted = new Map();
    let at = this.#list.firstElementChild;
    const focused = this.#list.contains(document.activeElement);
    for (let i = first; i <= last; i++) {
      const key = this.#source.key(i);
      let el = this.#drawn.get(key);
      if (el?.parleyStale) {
        if (at === el) at = el.nextElementSibling;
        this.#forget(key, el);
        el = null;
      }
      if (!el) {
        el = this.#source.draw(i);
        this.#resize.observe(el);
      }
      el.parleyRow = i;
      wanted.set(key, el);
      if (el === at) at = at.nextElementSibling;
      else this.#list.insertBefore(el, at);
      this.#drawn.set(key, el);
    }
    for (const [key, el] of this.#drawn) if (!wanted.has(key)) this.#forget(key, el);
    if (focused && !this.#list.contains(document.activeElement)) this.#viewport.focus({ preventScroll: true });
  }

  #forget(key, el) {
    this.#resize.unobserve(el);
    el.remove();
    this.#drawn.delete(key);
  }

  /** #measure takes the heights of what is drawn; it reports whether one has changed. */
  #measure() {
    let changed = false;
    for (const [key, el] of this.#drawn) {
      const i = el.parleyRow;
      if (!el.isConnected || i >= this.#heights.count || this.#source.key(i) !== key) continue;
      const height = el.offsetHeight;
      if (Math.abs(height - this.#heights.get(i)) < 0.5) continue;
      this.#heights.set(i, height);
      changed = true;
      if (el.dataset.gap !== undefined) continue; // what will be there has another height
      this.#sum += height - (this.#known.get(key) ?? 0);
      this.#known.set(key, height);
    }
    return changed;
  }
}
