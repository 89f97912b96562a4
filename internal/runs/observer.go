package runs

import (
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
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
	// FellBack reports that another model is asked, or no longer is.
	FellBack(Fallback)
	// Compacting reports that a conversation is being summed up, and the end of it.
	Compacting(Summing)
	// Used reports a step of a tool that the model used.
	Used(ToolUse)
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
	// MessageID is the id that the answer's line in the transcript will have.
	MessageID string
	Seq       int
	At        int64 // ms
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

// Fallback is a change of the model that answers a session.
type Fallback struct {
	RunID, Key string
	Seq        int
	At         int64 // ms
	// Chosen is the session's model; Active the one that is asked now: Chosen
	// again when Before, the fallback that answered last, is no longer needed.
	Chosen, Active config.ModelRef
	Before         string
	// Reason is why the last model failed, Attempts is all that did.
	Reason   string
	Attempts []Attempt
}

// Attempt is a model that was asked in vain.
type Attempt struct {
	Model  config.ModelRef
	Reason string // in words for people
}

// Summing is the begin or the end of a compaction inside a run.
type Summing struct {
	RunID, Key string
	Seq        int
	At         int64 // ms
	Ended      bool
	Done       bool // a summary was written; only at the end
}

// Abortion is the early end of a run, told before anything else of it.
type Abortion struct {
	RunID, Key string
	MessageID  string // of the text that is saved
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
	MessageID          string // of the answer
	Seq                int
	Status             Status
	StartedAt, EndedAt int64 // ms
	// Error is why the run failed, in words for people.
	Error string
	// Text is the whole answer as people see it, "" when there is nothing to
	// see. Chat is what the last chat delta did not have yet, nil when nothing.
	Text string
	Chat *ChatDelta
	// Model is what was asked, First how long the first piece of its answer took
	// and Usage what it counted; zero and nil when it did not come to that.
	Model config.ModelRef
	First time.Duration
	Usage *model.Usage
}
