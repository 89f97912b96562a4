// Who wants to know when something changes: on(name, f) gives a function that
// ends it; emit calls all that listen, in the order in which they began.
export class Emitter {
  #listeners = new Map();

  on(name, f) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(f);
    return () => this.#listeners.get(name).delete(f);
  }

  emit(name, ...args) {
    for (const f of this.#listeners.get(name) ?? []) {
      try {
        f(...args);
      } catch (error) {
        console.error(`while telling of ${name}:`, error); // one view must not stop the others
      }
    }
  }
}
