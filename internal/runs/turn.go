package runs

import (
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/tracing"
)

// Kind is the method that a run came from. Idempotency keys of different kinds
// are different keys.
type Kind string

// The kinds of runs.
const (
	// Chat is a message of a person: chat.send and what is built on it.
	Chat Kind = "chat"
	// Agent is a call of the method agent, which leaves no trace of a channel
	// in the entry.
	Agent Kind = "agent"
)

// Turn is one message to a session and all that its run needs to know.
type Turn struct {
	Kind Kind
	// Key is the canonical key of the session.
	Key string
	// RunID is the client's idempotency key; it names the run everywhere.
	RunID string
	// Message is the text, as it is stored and sent.
	Message string
	// Media are the pictures that came with it.
	Media []Media
	// Thinking is the level for this run only, "" for the session's.
	Thinking string
	// Timeout bounds the run: 0 is the configured limit, NoLimit is none.
	Timeout time.Duration
	// Model is the model for this run only; the zero value is the session's.
	Model config.ModelRef
	// System is put before the conversation.
	System string
	// Fresh starts the session over before the message.
	Fresh bool
	// Owner is who started the run.
	Owner Owner
	// Queued, if it is there, is called once the message has its place among those
	// of its session, before it is durable: what comes next need not wait for the
	// disk.
	Queued func()
	// Trace is the span of the call that asked for the run, if there is one.
	Trace tracing.Span
}

// NoLimit is the Timeout of a turn that may take as long as it likes.
const NoLimit time.Duration = -1

// Media is a picture: a file of ours, and its bytes for the model.
type Media struct{ Path, MIME, Base64 string }

// Owner is who started a run, and whose it is to abort.
type Owner struct{ Conn, Device string }

// Owns reports whether a run of o may be aborted by someone: the same device or
// the same connection. A run without either belongs to everybody.
func (o Owner) Owns(who Owner) bool {
	if o == (Owner{}) {
		return true
	}
	return o.Device != "" && o.Device == who.Device || o.Conn != "" && o.Conn == who.Conn
}

// State is where a run stands, as idempotency answers it.
type State int

// The states of a run.
const (
	// Started says that the run is new.
	Started State = iota
	// InFlight says that the run goes on or waits.
	InFlight
	// Ended says that the run is over; its Outcome tells how.
	Ended
)

// Ticket is the answer to a Turn.
type Ticket struct {
	RunID   string
	State   State
	Outcome Outcome // when State is Ended
	// AcceptedAt is when the run was accepted, in ms; 0 for commands and runs of
	// an earlier process.
	AcceptedAt int64

	begin func()
}

// Begin lets a started run go. It must be called once for each ticket, after
// the answer is on its way: no event of a run overtakes its answer. It does
// nothing for runs that were not started by this ticket.
func (t Ticket) Begin() {
	if t.begin != nil {
		t.begin()
	}
}

// Outcome is how a run ended.
type Outcome struct {
	RunID string
	// Error is why it failed, in words for people; "" when it did not.
	Error string
	// Aborted is true for runs that were aborted or ran out of time.
	Aborted bool
	// StartedAt and EndedAt are in ms; 0 when it never started.
	StartedAt, EndedAt int64

	// What the model said; empty for runs of an earlier process.
	Text      string
	SessionID string
	Model     config.ModelRef
	Usage     *model.Usage
}

// Failed reports whether the run failed.
func (o Outcome) Failed() bool { return o.Error != "" }
