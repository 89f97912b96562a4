import test from "node:test";
import assert from "node:assert/strict";
import { Runs } from "../page/js/runs.js";

const start = (runId, key = "k") => ({ runId, stream: "lifecycle", data: { phase: "start", startedAt: 1 }, sessionKey: key, seq: 1, ts: 1 });
const said = (runId, text, seq, key = "k") => ({ runId, stream: "assistant", data: { text }, sessionKey: key, seq, ts: 1 });
const final = (runId, text, state = "final") => ({ runId, sessionKey: "k", seq: 9, state, message: text && { content: [{ type: "text", text }] } });
const rest = (run) => run.text.slice(run.taken);

test("a run begins, speaks and ends once", () => {
  const runs = new Runs();
  const heard = [];
  runs.on("change", (run, what) => heard.push(`${run.id} ${what} ${run.text}`));
  runs.agent(start("r"));
  runs.agent(said("r", "a", 2));
  runs.agent(said("r", "a b", 3));
  runs.chat({ ...final("r", "a"), state: "delta", seq: 2 }); // older than what we know
  runs.chat(final("r", "a b c"));
  runs.agent(said("r", "late", 10));
  assert.deepEqual(heard, ["r start ", "r text a", "r text a b", "r end a b c"]);
  assert.equal(runs.of("k"), undefined);
  assert.equal(runs.tally.done, 1);
});

test("one that comes in the middle goes on from what the history says", () => {
  const runs = new Runs();
  runs.inFlight("k", { runId: "r", text: "one two", seq: 5 });
  runs.agent(said("r", "one", 4));
  assert.equal(runs.of("k").text, "one two");
  runs.agent(said("r", "one two three", 6));
  assert.equal(runs.of("k").text, "one two three");
});

test("what stands in the transcript is not shown twice", () => {
  const runs = new Runs();
  runs.agent(start("r"));
  runs.agent(said("r", "I look.", 2));
  runs.stored("k", "I look. ");
  assert.equal(rest(runs.of("k")), "");
  runs.agent(said("r", "I look.\n\nFound it", 3));
  assert.equal(rest(runs.of("k")).trim(), "Found it");
  runs.stored("k", "Found it. Done."); // more than was told yet
  runs.agent(said("r", "I look.\n\nFound it. Done.", 4));
  assert.equal(rest(runs.of("k")), "");
});

test("a row tells of runs that nobody has heard of, and of their end", () => {
  const runs = new Runs();
  runs.row({ key: "k", status: "running", startedAt: 7 });
  assert.equal(runs.of("k").startedAt, 7);
  runs.agent(said("r", "x", 2));
  assert.deepEqual(runs.all().map((r) => r.id), ["r"]);
  runs.chat(final("r", "x"));
  runs.row({ key: "k", status: "done" });
  assert.deepEqual(runs.all(), []);
  runs.row({ key: "k", status: "running", startedAt: 7 });
  runs.row({ key: "k", status: "killed" });
  assert.deepEqual(runs.all(), []);
});

test("failures and stops are counted apart", () => {
  const runs = new Runs();
  for (const [id, state] of [["a", "error"], ["b", "aborted"]]) {
    runs.agent(start(id));
    runs.chat({ ...final(id, "", state), errorMessage: state === "error" ? "no" : undefined });
  }
  assert.deepEqual({ ...runs.tally, ms: 0 }, { done: 0, failed: 1, stopped: 1, ms: 0 });
});
