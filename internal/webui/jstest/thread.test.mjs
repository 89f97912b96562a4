import test from "node:test";
import assert from "node:assert/strict";
import { Thread } from "../page/js/thread.js";
import { Heights } from "../page/js/heights.js";

/** transcript answers like chat.history over n messages; silent ones are left out. */
function transcript(n, { silent = [], room = Infinity } = {}) {
  const asked = [];
  return {
    n,
    asked,
    sessionId: "s1",
    read({ before, limit }) {
      asked.push({ before, limit });
      const end = Math.min(before - 1, this.n);
      let from = Math.max(1, end - limit + 1);
      from = Math.max(from, end - room + 1);
      const messages = [];
      for (let seq = from; seq <= end; seq++) {
        if (!silent.includes(seq)) messages.push({ role: "user", content: `t${seq}`, __openclaw: { id: `i${seq}`, seq } });
      }
      return Promise.resolve({ sessionId: this.sessionId, messages, totalCount: this.n, hasMore: from > 1, nextBefore: from > 1 ? from : null });
    },
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

function open(source) {
  const changes = [];
  const thread = new Thread((o) => source.read(o), (keys) => changes.push(keys));
  return { thread, changes };
}

test("reads the end, and any other part when it is wanted", async () => {
  const source = transcript(100_000, { silent: [99_999, 3] });
  const { thread } = open(source);
  await thread.load();
  assert.equal(thread.count, 100_000);
  assert.equal(thread.row(99_999).message.content, "t100000");
  assert.equal(thread.row(99_998).kind, "silent");
  assert.equal(thread.row(0).kind, "gap");
  thread.want(0, 20);
  thread.want(0, 20); // nothing is asked for twice
  await settle();
  assert.equal(thread.row(0).message.content, "t1");
  assert.equal(thread.row(2).kind, "silent");
  assert.equal(thread.row(100).kind, "gap");
  assert.equal(source.asked.length, 2);
  thread.want(49_950, 50_050);
  await settle();
  assert.equal(thread.row(50_049).message.content, "t50050");
});

test("asks on when an answer holds only a part", async () => {
  const source = transcript(300, { room: 30 });
  const { thread } = open(source);
  await thread.load();
  thread.want(0, 99);
  await settle();
  for (let i = 0; i < 100; i++) assert.equal(thread.row(i).message?.content, `t${i + 1}`);
});

test("keeps a bounded number of messages, the end among them", async () => {
  const source = transcript(100_000);
  const { thread } = open(source);
  await thread.load();
  for (let i = 99_900; i >= 0; i -= 100) {
    thread.want(i, i + 30);
    await settle();
  }
  let here = 0;
  for (let i = 0; i < thread.count; i++) if (thread.row(i).kind === "message") here++;
  assert.ok(here <= 5200, `${here} messages are kept`);
  assert.equal(thread.row(0).kind, "message");
  assert.equal(thread.row(99_999).kind, "message");
});

test("new messages, notes and what is not written yet keep their places", async () => {
  const source = transcript(2);
  const { thread } = open(source);
  await thread.load();
  const shown = () => Array.from({ length: thread.count }, (_, i) => thread.row(i).message?.content ?? thread.row(i).id);
  thread.restack([{ id: "typed", kind: "pending" }]);
  thread.add({ role: "user", content: "/status", timestamp: 5 }, 2, undefined); // a command is told but not stored
  thread.add({ role: "assistant", content: "fine" }, 3, "i3");
  assert.deepEqual(shown(), ["t1", "t2", "/status", "fine", "typed"]);
  thread.restack([]);
  thread.add({ role: "user", content: "next" }, 4, "i4");
  thread.note({ id: "n2", kind: "notice" });
  thread.note({ id: "n2", kind: "notice" });
  assert.deepEqual(shown(), ["t1", "t2", "/status", "fine", "next", "n2"]);
  assert.deepEqual(Array.from({ length: thread.count }, (_, i) => thread.key(i)), ["m1", "m2", "note-2-5", "m3", "m4", "n2"]);
  assert.equal(thread.index(3), 3);
  thread.add({ role: "assistant", content: "NO_REPLY" }, 5, "i5");
  assert.equal(thread.row(5).id, "n2");
  assert.equal(thread.row(6).kind, "silent");
});

test("messages that were missed are a gap, and are read", async () => {
  const source = transcript(10);
  const { thread } = open(source);
  await thread.load();
  source.n = 20;
  thread.add({ role: "user", content: "t20" }, 20, "i20");
  assert.equal(thread.row(14).kind, "gap");
  thread.want(10, 19);
  await settle();
  assert.equal(thread.row(14).message.content, "t15");
});

test("another transcript, or a shorter one, replaces what was known", async () => {
  const source = transcript(500);
  const { thread } = open(source);
  await thread.load();
  thread.want(0, 10);
  source.n = 3;
  source.sessionId = "s2";
  await thread.load();
  await settle(); // the page that was under way is late
  assert.equal(thread.count, 3);
  assert.equal(thread.row(0).message.content, "t1");
});

test("what cannot be read says so, and is asked for again when told", async () => {
  const source = transcript(500);
  const { thread } = open(source);
  await thread.load();
  const read = source.read;
  source.read = () => Promise.reject(new Error("gone"));
  thread.want(0, 10);
  await settle();
  assert.equal(thread.row(0).error.message, "gone");
  source.read = read;
  thread.want(0, 10); // not by itself
  await settle();
  assert.equal(thread.row(0).kind, "gap");
  thread.retry();
  thread.want(0, 10);
  await settle();
  assert.equal(thread.row(0).kind, "message");
});

test("heights: where rows begin and which row is at a place", () => {
  for (const n of [0, 1, 2, 3, 7, 8, 100]) {
    const heights = new Heights(n, 10);
    const plain = Array(n).fill(10);
    for (const [i, v] of [[0, 0], [1, 33], [2, 0.5], [n - 1, 7]]) {
      if (i < 0 || i >= n) continue;
      heights.set(i, v);
      plain[i] = v;
    }
    let top = 0;
    for (let i = 0; i < n; i++) {
      assert.ok(Math.abs(heights.top(i) - top) < 1e-6);
      if (plain[i] > 0) assert.equal(heights.at(top + plain[i] / 2), i, `${n} rows, row ${i}`);
      top += plain[i];
    }
    assert.ok(Math.abs(heights.total - top) < 1e-6);
    assert.equal(heights.at(-5), n ? 0 : -1);
    assert.equal(heights.at(top + 100), n - 1);
  }
  assert.equal(Heights.of(3, (i) => i + 1).total, 6);
});
