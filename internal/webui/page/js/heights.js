// The heights of a long column of rows: where each row begins, and which row is
// at a place, both in logarithmic time (a Fenwick tree). A row that nobody has
// measured has an estimated height.
export class Heights {
  #tree;
  #height;
  #mask = 0;

  constructor(count, estimate) {
    this.#height = new Float64Array(count).fill(estimate);
    this.#build();
  }

  /** of makes heights of a function of the row. */
  static of(count, height) {
    const heights = new Heights(count, 0);
    for (let i = 0; i < count; i++) heights.#height[i] = height(i);
    heights.#build();
    return heights;
  }

  #build() {
    const n = this.#height.length;
    this.#tree = new Float64Array(n + 1);
    for (let i = 1; i <= n; i++) {
      this.#tree[i] += this.#height[i - 1];
      const parent = i + (i & -i);
      if (parent <= n) this.#tree[parent] += this.#tree[i];
    }
    this.#mask = n === 0 ? 0 : 1 << (31 - Math.clz32(n));
  }

  get count() {
    return this.#height.length;
  }

  get total() {
    return this.top(this.count);
  }

  get(i) {
    return this.#height[i];
  }

  set(i, height) {
    const change = height - this.#height[i];
    if (change === 0) return;
    this.#height[i] = height;
    for (let j = i + 1; j <= this.count; j += j & -j) this.#tree[j] += change;
  }

  /** top is where row i begins: the height of all rows before it. */
  top(i) {
    let sum = 0;
    for (let j = Math.min(i, this.count); j > 0; j -= j & -j) sum += this.#tree[j];
    return sum;
  }

  /** at is the row at a place, the first or last one for places outside; -1 when there are no rows. */
  at(place) {
    if (this.count === 0) return -1;
    let i = 0, rest = place;
    for (let step = this.#mask; step > 0; step >>= 1) {
      const next = i + step;
      if (next <= this.count && this.#tree[next] <= rest) {
        i = next;
        rest -= this.#tree[next];
      }
    }
    return Math.min(i, this.count - 1);
  }
}
