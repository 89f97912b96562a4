package runs

import (
	"time"

	"github.com/parleyd/parley/internal/model"
)

// ToolUse is a step of a tool that the model of a run uses.
type ToolUse struct {
	RunID, Key string
	MessageID  string // as in Piece
	Seq        int
	At         int64 // ms
	Step       model.ToolStep
	// Chat is what the chat deltas have not shown of the answer before a tool
	// begins, nil when nothing; Text is that answer then.
	Text string
	Chat *ChatDelta
}

// tellTool reports a step of a tool. Who reads the answer has all of it before a
// tool begins. The caller holds the voice's mutex.
func (r *run) tellTool(s model.ToolStep) {
	v := &r.voice
	if v.pending {
		r.tell()
	}
	v.said.acted = true
	now := time.Now()
	v.seq++
	u := ToolUse{RunID: r.turn.RunID, Key: r.turn.Key, MessageID: r.answerID(), Seq: v.seq, At: now.UnixMilli(), Step: s}
	if s.Phase == model.ToolStart {
		u.Text = v.said.visible()
		if u.Chat = v.said.chatDelta(u.Text); u.Chat != nil {
			v.said.lastChat, v.said.chatSeq = now, v.seq
		}
	}
	r.e.o.Observer.Used(u)
}
