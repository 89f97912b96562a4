package runs

import (
	"github.com/parleyd/parley/internal/transcript"
)

// Observer hears what runs do, in the order in which it happens to each. Its
// methods must not block and must not call the engine back. What is reported
// has been written: who acts on a report can read its effect.
type Observer interface {
	// Appended reports a message that a run wrote to its transcript.
	Appended(key string, a transcript.Appended)
	// Started reports that a run talks to its model from now on.
	Started(Start)
	// Said reports a piece of an answer.
	Said(Piece)
	// Aborted reports that a run was ended from outside.
	Aborted(Abortion)
	// Finished reports the end of a run: the last report of it.
	Finished(End)
}

// Start is the start of a run.
type Start struct {
	RunID, Key string
	Seq        int
	At         int64 // ms
}

// Piece is something that the model added to an answer.
type Piece struct {
	RunID, Key string
	Seq        int
	At         int64 // ms
	// Text is the whole answer so far as people see it, Added what is new.
	Text, Added string
	// Chat is the chat delta that is due as well, nil when none is.
	Chat *ChatDelta
}

// ChatDelta is what a chat delta adds to the one before it.
type ChatDelta struct {
	Added string
	// Replace says that the text is no continuation: Added is all of it.
	Replace bool
}

// Abortion is the early end of a run, told before anything else of it.
type Abortion struct {
	RunID, Key string
	Seq        int
	At         int64 // ms
	// Reason is rpc, stop, timeout or shutdown.
	Reason string
	// Text is the answer so far, "" when there is none.
	Text string
}

// Status is how a run ended, as the entry has it.
type Status string

// The ways in which a run ends.
const (
	Done     Status = "done"
	Failed   Status = "failed"
	Killed   Status = "killed"
	TimedOut Status = "timeout"
)

// End is the end of a run.
type End struct {
	RunID, Key         string
	Seq                int
	Status             Status
	StartedAt, EndedAt int64 // ms
	// Error is why the run failed, in words for people.
	Error string
	// Text is the whole answer as people see it, "" when there is nothing to
	// see. Chat is what the last chat delta did not have yet, nil when nothing.
	Text string
	Chat *ChatDelta
}
