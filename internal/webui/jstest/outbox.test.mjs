import test from "node:test";
import assert from "node:assert/strict";
import { Outbox } from "../page/js/outbox.js";
import { ConnectionError, GatewayError } from "../page/js/errors.js";

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Wire is a connection whose calls a test answers one by one. */
class Wire {
  connected = true;
  calls = [];
  call(method, params) {
    if (!this.connected) return Promise.reject(new ConnectionError("off", false));
    return new Promise((resolve, reject) => this.calls.push({ method, params, resolve, reject }));
  }
  lose() {
    this.connected = false;
    for (const call of this.calls.splice(0)) call.reject(new ConnectionError("off", true));
  }
}

const storage = () => {
  const kept = new Map();
  return { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v) };
};

const states = (box, key = "a") => box.of(key).map((e) => `${e.id} ${e.state}`);

test("sends in order, one after the other, each session by itself", async () => {
  const wire = new Wire();
  const box = new Outbox(wire, storage());
  for (const [id, key] of [["1", "a"], ["2", "a"], ["3", "b"]]) box.add({ id, key, text: id });
  assert.deepEqual(wire.calls.map((c) => c.params.idempotencyKey), ["1", "3"]);
  wire.calls[0].resolve({ runId: "1", status: "started" });
  await settle();
  assert.deepEqual(wire.calls.map((c) => c.params.idempotencyKey), ["1", "3", "2"]);
  assert.deepEqual(states(box), ["1 accepted", "2 sending"]);
});

test("what was typed without a connection goes when there is one", async () => {
  const wire = new Wire();
  const box = new Outbox(wire, storage());
  wire.connected = false;
  box.add({ id: "1", key: "a", text: "x" });
  assert.deepEqual(states(box), ["1 waiting"]);
  wire.connected = true;
  box.flush();
  assert.equal(wire.calls.length, 1);
});

test("what may have arrived is sent again under its key, also after a reload", async () => {
  const wire = new Wire();
  const kept = storage();
  const box = new Outbox(wire, kept);
  box.add({ id: "1", key: "a", text: "x" });
  wire.lose();
  await settle();
  assert.deepEqual(states(box), ["1 unsure"]);
  wire.connected = true;
  const reloaded = new Outbox(wire, kept);
  reloaded.flush();
  assert.deepEqual(wire.calls.map((c) => [c.method, c.params]), [["chat.send", { sessionKey: "a", message: "x", idempotencyKey: "1" }]]);
  wire.calls[0].resolve({ runId: "1", status: "in_flight" });
  await settle();
  reloaded.flush();
  assert.equal(wire.calls.length, 1, "what was accepted is not sent again");
  assert.deepEqual(states(reloaded), ["1 accepted"]);
});

test("a reload in the middle of sending is not sure either", () => {
  const wire = new Wire();
  const kept = storage();
  new Outbox(wire, kept).add({ id: "1", key: "a", text: "x" });
  assert.deepEqual(states(new Outbox(wire, kept)), ["1 unsure"]);
});

test("an interruption that may have arrived does not interrupt twice", async () => {
  const wire = new Wire();
  const box = new Outbox(wire, storage());
  box.add({ id: "1", key: "a", text: "x", mode: "steer" });
  assert.equal(wire.calls[0].method, "sessions.steer");
  wire.lose();
  await settle();
  wire.connected = true;
  box.flush();
  assert.equal(wire.calls[0].method, "chat.send");
  assert.equal(wire.calls[0].params.idempotencyKey, "1");
});

test("a refusal stays until a person decides", async () => {
  const wire = new Wire();
  const box = new Outbox(wire, storage());
  box.add({ id: "1", key: "a", text: "x" });
  wire.calls[0].reject(new GatewayError({ code: "INVALID_REQUEST", message: "send blocked by session policy" }));
  await settle();
  assert.deepEqual(states(box), ["1 failed"]);
  assert.equal(box.of("a")[0].error, "send blocked by session policy");
  box.flush();
  assert.equal(wire.calls.length, 1);
  box.again("1");
  assert.equal(wire.calls.length, 2);
});

test("a message in the transcript counts for one entry, and only behind what was there", async () => {
  const wire = new Wire();
  wire.connected = false;
  const box = new Outbox(wire, storage());
  box.add({ id: "1", key: "a", text: "again", after: 4 });
  box.add({ id: "2", key: "a", text: "again", after: 4 });
  assert.deepEqual(box.match("a", [{ seq: 4, text: "again" }]), []);
  assert.deepEqual(box.match("a", [{ seq: 5, text: "again" }]).map((e) => e.id), ["1"]);
  assert.deepEqual(states(box), ["2 waiting"]);
  assert.deepEqual(box.match("a", [{ seq: 6, text: "other" }]), []);
});

test("line ends and composed letters do not hinder", () => {
  const wire = new Wire();
  wire.connected = false;
  const box = new Outbox(wire, storage());
  box.add({ id: "1", key: "a", text: "cafe\u0301\r\nx" });
  assert.equal(box.match("a", [{ seq: 1, text: "caf\u00e9\nx" }]).length, 1);
});

test("a word that stops runs leaves no message", async () => {
  const wire = new Wire();
  const box = new Outbox(wire, storage());
  box.add({ id: "1", key: "a", text: "stop" });
  wire.calls[0].resolve({ ok: true, aborted: true, runIds: ["r"] });
  await settle();
  assert.deepEqual(states(box), []);
});

test("a full storage does not stop sending", () => {
  const wire = new Wire();
  const full = { getItem: () => null, setItem: () => { throw new Error("quota"); } };
  new Outbox(wire, full).add({ id: "1", key: "a", text: "x", attachments: [{ mimeType: "image/png", fileName: "p.png", content: "AA==", preview: "blob:x" }] });
  assert.deepEqual(wire.calls[0].params.attachments, [{ type: "image", mimeType: "image/png", fileName: "p.png", content: "AA==" }]);
});
