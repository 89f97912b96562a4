package runs

import (
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	// chatInterval is the least time between two chat deltas of a run.
	chatInterval = 150 * time.Millisecond
	// joinFor is the least time between two pieces of a run that are told.
	joinFor = 15 * time.Millisecond
	// silence is an answer that nobody is shown.
	silence = "NO_REPLY"
)

// answer is what a model has said so far, as it was sent and as people see it:
// without directive tags, trimmed, an unfinished tag held back. Each piece is
// looked at once, however long the answer grows.
type answer struct {
	whole     strings.Builder // as sent
	thinking  strings.Builder
	signature string
	id        string
	stop      model.StopReason
	acted     bool // a tool was used

	clean    strings.Builder // without tags, up to what is held back
	held     string          // as sent, from where a tag may begin
	seen     string          // what the last piece showed
	chatText string          // what the last chat delta showed
	chatSeq  int             // and its number
	lastChat time.Time
}

// add takes in a piece of text.
func (a *answer) add(text string) {
	a.whole.WriteString(text)
	a.held += text
	n := settled(a.held)
	a.clean.WriteString(transcript.StripTags(a.held[:n]))
	a.held = a.held[n:]
}

// size is how many bytes the model has sent.
func (a *answer) size() int { return a.whole.Len() + a.thinking.Len() }

// settled is the length of the part of text in which no tag can begin that ends
// behind it: up to the first "[[" that is not closed, or a "[" at the end.
func settled(text string) int {
	from := 0
	for {
		i := strings.Index(text[from:], "[[")
		if i < 0 {
			break
		}
		j := strings.Index(text[from+i+2:], "]]")
		if j < 0 {
			return from + i
		}
		from += i + 2 + j + 2
	}
	if strings.HasSuffix(text, "[") {
		return len(text) - 1
	}
	return len(text)
}

// text is the answer so far as people see it.
func (a *answer) text() string { return jstext.Trim(a.clean.String()) }

// shown is text, or "" where it is or may become silence.
func (a *answer) shown() string {
	t := a.text()
	if maySilence(t) {
		return ""
	}
	return t
}

// visible is the answer as people may see it, "" for silence. A tag that was
// begun and never finished stays out of it, at the end too, as clients know it;
// the transcript has it.
func (a *answer) visible() string {
	t := a.text()
	if t == silence {
		return ""
	}
	return t
}

// maySilence reports whether an answer that begins with t may turn out to be
// silent. (A proper prefix counts in any case, the whole only as written.)
func maySilence(t string) bool {
	if t == silence {
		return true
	}
	return len(t) < len(silence) && strings.HasPrefix(silence, strings.ToUpper(t))
}

// piece is what text adds to what was seen, and the chat delta that is due, if
// one is. ok is false when there is nothing new to see.
func (a *answer) piece(text string, now time.Time) (added string, chat *ChatDelta, ok bool) {
	if text == "" || text == a.seen {
		return "", nil, false
	}
	added, grown := strings.CutPrefix(text, a.seen)
	if !grown {
		added = text
	}
	a.seen = text
	if a.lastChat.IsZero() || now.Sub(a.lastChat) >= chatInterval {
		if chat = a.chatDelta(text); chat != nil {
			a.lastChat = now
		}
	}
	return added, chat, true
}

// chatDelta is the delta that brings the chat up to text, nil when it is there
// or when text looks like the beginning of silence: that only final shows.
// The text only ever grows at its end; Replace is for the case that a model
// sends something that breaks this.
func (a *answer) chatDelta(text string) *ChatDelta {
	if text == a.chatText || maySilence(text) {
		return nil
	}
	added, grown := strings.CutPrefix(text, a.chatText)
	a.chatText = text
	if !grown {
		return &ChatDelta{Added: text, Replace: true}
	}
	return &ChatDelta{Added: added}
}

// hear takes in a piece of the answer and tells of it.
func (r *run) hear(d model.Delta) {
	v := &r.voice
	v.mu.Lock()
	defer v.mu.Unlock()
	a := &v.said
	if d.ResponseID != "" {
		a.id = d.ResponseID
	}
	if d.Stop != "" {
		a.stop = d.Stop
	}
	if d.Thinking != "" {
		a.thinking.WriteString(d.Thinking)
		a.signature = d.Signature
	}
	if v.silenced {
		return
	}
	if d.Text != "" {
		a.add(d.Text)
		r.tellSoon()
	}
	if d.Tool != nil {
		r.tellTool(*d.Tool)
	}
}

// tellSoon tells of what the answer has grown by: at once, or with what comes in
// the next moment, when something was told just now. A piece repeats the whole
// answer to everybody, so a fast model would cost them a long text for each word.
// The caller holds the mutex.
func (r *run) tellSoon() {
	v := &r.voice
	if v.pending {
		return
	}
	wait := time.Until(v.lastTold.Add(max(joinFor, 2*v.tellTime)))
	if wait <= 0 {
		r.tell()
		return
	}
	v.pending = true
	if v.late == nil {
		v.late = time.AfterFunc(wait, r.tellRest)
	} else {
		v.late.Reset(wait)
	}
}

// tellRest tells what waits to be told: when its time has come, and when the
// model has ended, before the answer is written.
func (r *run) tellRest() {
	v := &r.voice
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pending {
		r.tell()
	}
}

// tell tells of what the answer has grown by, if people can see it. The caller
// holds the mutex.
func (r *run) tell() {
	v := &r.voice
	v.pending = false
	now := time.Now()
	text := v.said.visible()
	added, chat, ok := v.said.piece(text, now)
	if !ok {
		return
	}
	v.seq++
	if chat != nil {
		v.said.chatSeq = v.seq
	}
	r.e.o.Observer.Said(Piece{
		RunID: r.turn.RunID, Key: r.turn.Key, MessageID: r.answerID(), Seq: v.seq, At: now.UnixMilli(),
		Text: text, Added: added, Chat: chat,
	})
	v.lastTold = time.Now()
	v.tellTime = v.lastTold.Sub(now)
}

// Answering is the run of a session that goes on, as far as its chat deltas have
// told it.
type Answering struct {
	RunID string
	// MessageID is the id that the answer has in events and in the transcript.
	MessageID string
	Text      string
	Seq       int // of the last chat delta; 0 before the first
}

// Answering is what the session with this canonical key is just answering; there
// is none while nothing goes on. The chat deltas that follow continue Text.
func (e *Engine) Answering(key string) (Answering, bool) {
	e.mu.Lock()
	var r *run
	if l := e.lanes[key]; l != nil && l.active != nil && l.active.state == active {
		r = l.active
	}
	e.mu.Unlock()
	if r == nil {
		return Answering{}, false
	}
	r.voice.mu.Lock()
	defer r.voice.mu.Unlock()
	if r.voice.silenced {
		return Answering{}, false
	}
	return Answering{r.turn.RunID, r.answerID(), r.voice.said.chatText, r.voice.said.chatSeq}, true
}

// report tells something under the run's next number, unless it is silenced.
func (r *run) report(tell func(seq int)) {
	v := &r.voice
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.silenced {
		return
	}
	v.seq++
	tell(v.seq)
}

// reportStarted tells that the model is asked now.
func (r *run) reportStarted() {
	r.report(func(seq int) {
		r.e.o.Observer.Started(Start{RunID: r.turn.RunID, Key: r.turn.Key, Seq: seq, At: r.startedAt})
	})
}

// reportAborted silences the run and tells that it was ended from outside.
func (r *run) reportAborted() {
	v := &r.voice
	v.mu.Lock()
	defer v.mu.Unlock()
	v.silenced, v.pending = true, false
	r.e.o.Observer.Aborted(Abortion{
		RunID: r.turn.RunID, Key: r.turn.Key, MessageID: r.answerID(), Seq: v.seq + 1, At: nowMs(),
		Reason: reason(r.why), Text: v.said.shown(),
	})
	close(r.told)
}

// reportEnd tells the end of the run.
func (r *run) reportEnd(status Status, shownError, text string) {
	v := &r.voice
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seq++
	r.e.o.Observer.Finished(End{
		RunID: r.turn.RunID, Key: r.turn.Key, MessageID: r.answerID(), Seq: v.seq, Status: status,
		StartedAt: r.startedAt, EndedAt: r.endedAt,
		Error: shownError, Text: text, Chat: v.said.chatDelta(text),
		Model: r.spoken, First: r.first, Usage: r.usage,
	})
}
