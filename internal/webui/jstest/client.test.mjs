import test from "node:test";
import assert from "node:assert/strict";
import { connect, ConnectionError, GatewayError } from "../page/js/client.js";
import { Gateway } from "./gateway.mjs";

test("connects, calls and hears events in order", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  const events = conn.events();
  await gw.accept();
  assert.equal((await events.next()).value.payload.state, "connected");
  const call = conn.call("sessions.list", { limit: 1 });
  const request = await gw.request("sessions.list");
  assert.deepEqual(request.params, { limit: 1 });
  gw.event("chat", { n: 1 }, 1);
  gw.answer(request, { count: 0 });
  gw.event("chat", { n: 2 }, 2);
  assert.deepEqual(await call, { count: 0 });
  assert.deepEqual((await events.next()).value, { name: "chat", payload: { n: 1 }, seq: 1 });
  assert.deepEqual((await events.next()).value.payload, { n: 2 });
  assert.equal(conn.traffic.gaps, 0);
});

test("a refusal carries the gateway's code, text and details", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  await gw.accept();
  const call = conn.call("sessions.patch", { key: "x" });
  gw.refuse(await gw.request("sessions.patch"), { code: "INVALID_REQUEST", message: "label already in use: x", details: { a: 1 } });
  await assert.rejects(call, (e) => e instanceof GatewayError && e.code === "INVALID_REQUEST" && e.message === "label already in use: x" && e.details.a === 1);
});

test("connects again after the connection is lost, later each time, and subscribes before it says so", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  conn.subscribe("sessions.subscribe");
  const events = conn.events();
  const states = [];
  (async () => {
    for await (const e of events) states.push(e.name === "connection" ? e.payload.state : e.name);
  })();
  await gw.accept({ subscriptions: 1 });
  gw.lose(1012, "service restart");
  await gw.settle();
  assert.deepEqual(states, ["connected", "waiting"]);
  assert.equal(conn.status.error.message, "service restart");
  const waits = [];
  for (let i = 0; i < 10; i++) {
    waits.push(gw.nextTimer());
    await gw.tick(gw.nextTimer());
    gw.lose(1006, "");
    await gw.settle();
  }
  assert.ok(waits[0] >= 400 && waits[0] <= 600, `the first wait is ${waits[0]} ms`);
  assert.ok(waits.at(-1) >= 12_000 && waits.at(-1) <= 18_000, `the last wait is ${waits.at(-1)} ms`);
  assert.equal(conn.status.error.message, "the gateway cannot be reached");
  states.length = 0;
  conn.retry(); // a person, or the system, says that it is worth a try
  await gw.challenge();
  gw.answer(await gw.request("connect"), gw.hello);
  const again = await gw.request("sessions.subscribe");
  await gw.settle();
  assert.deepEqual(states, ["connecting"], "not connected before the subscription is in force");
  gw.answer(again, { subscribed: true });
  await gw.settle();
  assert.deepEqual(states, ["connecting", "connected"]);
  assert.equal(conn.status.attempt, 0);
});

test("a call that was sent, and one that was not, fail differently when the connection ends", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  await assert.rejects(conn.call("status"), (e) => e instanceof ConnectionError && !e.sent);
  await gw.accept();
  const call = conn.call("chat.send", {});
  await gw.request("chat.send");
  gw.lose(1006, "");
  await assert.rejects(call, (e) => e instanceof ConnectionError && e.sent);
  await gw.settle();
  await assert.rejects(conn.call("status"), (e) => e instanceof ConnectionError && !e.sent);
});

test("a gateway that falls silent counts as lost, ticks keep it", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  await gw.accept();
  await gw.tick(50_000);
  gw.event("tick", { ts: 1 }, 1);
  await gw.tick(50_000);
  assert.equal(conn.status.state, "connected");
  await gw.tick(10_001);
  assert.equal(conn.status.state, "waiting");
  assert.equal(conn.status.error.message, "the gateway has fallen silent");
});

test("waits for a person when the gateway refuses, and tries again when told", async () => {
  const gw = new Gateway();
  const conn = gw.connect({ token: "wrong" });
  await gw.challenge();
  gw.refuse(await gw.request("connect"), { code: "INVALID_REQUEST", message: "unauthorized", details: { code: "AUTH_TOKEN_MISMATCH" } });
  await gw.settle();
  assert.equal(conn.status.state, "refused");
  assert.equal(gw.nextTimer(), undefined, "no attempt is planned");
  conn.setCredentials({ token: "right" });
  conn.retry();
  await gw.challenge();
  const request = await gw.request("connect");
  assert.deepEqual(request.params.auth, { token: "right" });
});

test("a device whose shared token is stale tries its own once", async () => {
  const gw = new Gateway();
  const conn = gw.connect({ token: "stale", deviceToken: "own" });
  for (const want of [{ token: "stale" }, { deviceToken: "own" }]) {
    await gw.challenge();
    const request = await gw.request("connect");
    assert.deepEqual(request.params.auth, want);
    gw.refuse(request, { code: "INVALID_REQUEST", message: "no", details: { code: "AUTH_TOKEN_MISMATCH" } });
    await gw.settle();
  }
  assert.equal(conn.status.state, "refused");
});

test("a gateway that cannot just now is tried again", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  await gw.challenge();
  gw.refuse(await gw.request("connect"), { code: "UNAVAILABLE", message: "later" });
  await gw.settle();
  assert.equal(conn.status.state, "waiting");
});

test("signs the v2 text with the nonce and the gateway's clock", async () => {
  const gw = new Gateway();
  let signed;
  const identity = { sign: async (x) => ((signed = x), { id: "d", nonce: x.nonce }) };
  gw.connect({ token: "t", identity, scopes: ["operator.read"] });
  await gw.challenge({ nonce: "n1", ts: 42 });
  const request = await gw.request("connect");
  assert.equal(signed.nonce, "n1");
  assert.equal(signed.signedAt, 42);
  assert.equal(signed.token, "t");
  assert.deepEqual(signed.scopes, ["operator.read"]);
  assert.deepEqual(request.params.device, { id: "d", nonce: "n1" });
});

test("counts what broadcasts went missing", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  await gw.accept();
  gw.event("tick", {}, 3);
  gw.event("tick", {}, 7);
  gw.event("sessions.changed", {});
  assert.equal(conn.traffic.gaps, 3);
});

test("a call that is not answered in time fails", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  await gw.accept();
  const call = conn.call("status", {}, { timeout: 1000 });
  await gw.request("status");
  const failed = assert.rejects(call, /status was not answered within 1 s/);
  await gw.tick(1000);
  await failed;
});

test("close ends the iterators", async () => {
  const gw = new Gateway();
  const conn = gw.connect();
  await gw.accept();
  const names = [];
  const reading = (async () => {
    for await (const e of conn.events()) names.push(e.payload.state);
  })();
  conn.close();
  await reading;
  assert.deepEqual(names, ["closed"]);
});
