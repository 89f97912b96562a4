// The runs that are going on, as the events tell: who answers what, since when,
// and what the answer says so far.
import { Emitter } from "./emitter.js";

/**
 * A run is {id, key, startedAt, text, seq, taken, state}. taken is how many
 * letters of the text stand in the transcript already. "change" is emitted with
 * (run, what): what is "start", "text" or "end"; an ended run has state "done",
 * "failed", "stopped" and maybe error.
 */
export class Runs extends Emitter {
  #runs = new Map();
  #ended = []; // ids of the last that have ended: a late event must not bring them back

  /** What has ended since the page was opened. */
  tally = { done: 0, failed: 0, stopped: 0, ms: 0 };

  all() {
    return [...this.#runs.values()].sort((a, b) => a.startedAt - b.startedAt);
  }

  get(id) {
    return this.#runs.get(id);
  }

  /** of is the run that answers in a session now, if one does. */
  of(key) {
    return this.all().find((run) => run.key === key);
  }

  /** forget drops all runs: the connection ended, so who knows. */
  forget() {
    for (const run of this.all()) {
      this.#runs.delete(run.id);
      this.emit("change", run, "lost");
    }
  }

  #start(id, key, startedAt) {
    let run = this.#runs.get(id);
    if (run || !key || this.#ended.includes(id)) return run;
    if (!id.startsWith("session:")) this.#dropGuess(key);
    run = { id, key, startedAt, text: "", seq: 0, taken: 0, state: "running" };
    this.#runs.set(id, run);
    this.emit("change", run, "start");
    return run;
  }

  #say(run, text, seq) {
    if (!run || seq < run.seq || (text === run.text && seq === run.seq)) return;
    run.text = text;
    run.seq = seq;
    this.emit("change", run, "text");
  }

  #end(id, state, error = "") {
    const run = this.#runs.get(id);
    this.#ended = [...this.#ended.slice(-199), id];
    if (!run) return;
    this.#runs.delete(id);
    Object.assign(run, { state, error });
    this.tally[state]++;
    this.tally.ms += Date.now() - run.startedAt;
    this.emit("change", run, "end");
  }

  /** agent takes an event agent. */
  agent({ runId, stream, data, sessionKey, seq, ts }) {
    if (stream === "lifecycle" && data.phase === "start") this.#start(runId, sessionKey, data.startedAt ?? ts);
    else if (stream === "assistant") this.#say(this.#start(runId, sessionKey, ts), data.text ?? "", seq);
  }

  /** chat takes an event chat. */
  chat({ runId, sessionKey, seq, state, message, errorMessage, stopReason }) {
    const text = message?.content?.[0]?.text;
    if (state === "delta") {
      this.#say(this.#start(runId, sessionKey, message?.timestamp ?? Date.now()), text ?? "", seq);
      return;
    }
    const run = this.#runs.get(runId);
    if (run && text !== undefined && text.length >= run.text.length) run.text = text;
    if (run) run.stopReason = stopReason;
    this.#end(runId, state === "final" ? "done" : state === "error" ? "failed" : "stopped", errorMessage);
  }

  /** inFlight takes what chat.history says of the answer that is being given. */
  inFlight(key, { runId, text, seq }) {
    this.#say(this.#start(runId, key, Date.now()), text, seq);
  }

  /** row takes a session's row: it may tell of a run that began before we came, or ended unheard. */
  row({ key, status, startedAt }) {
    if (status === "running" && !this.of(key)) this.#start(`session:${key}`, key, startedAt ?? Date.now());
    else if (status && status !== "running") this.#dropGuess(key);
  }

  /** #dropGuess ends a run that only a row has told of, when its true id or its end is known. */
  #dropGuess(key) {
    const run = this.#runs.get(`session:${key}`);
    if (!run) return;
    this.#runs.delete(run.id);
    this.emit("change", run, "lost");
  }

  /** stored notes that a message of an assistant was written to the transcript: what it says need not be shown as coming any more. */
  stored(key, text) {
    const run = this.of(key);
    const said = text.trim();
    if (!run || said === "") return;
    const rest = run.text.slice(run.taken);
    const ahead = rest.length - rest.trimStart().length;
    if (rest.trimStart().startsWith(said)) run.taken += ahead + said.length;
    else if (said.startsWith(rest.trim())) run.taken += Math.max(rest.length, ahead + said.length);
    else return;
    this.emit("change", run, "text");
  }
}
