package runs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/model"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	// keptShare is the part of the window, as 1 / keptShare, that the newest
	// messages fill after a compaction: the session can go on for a while before
	// the next one.
	keptShare = 2
	// summaryShare is the part that a summary may take at most.
	summaryShare = 8
)

// What a model is told that is to sum up a conversation.
const (
	summarySystem = "You keep the memory of a conversation between a person and an assistant that has become too long to be read whole."
	summaryOrder  = "Write down what whoever continues this conversation has to know: what the person wants, what was decided and why, facts, names, " +
		"numbers and file names as they were given, what was done, and what is still open. Leave out pleasantries. " +
		"Answer with these notes alone, and do not continue the conversation."
)

// summaryDetails is what a compaction line tells beside the summary.
type summaryDetails struct {
	Model string `json:"model"`
	Usage tokens `json:"usage,omitzero"`
}

// compact has m sum up all but the newest messages of a conversation that does
// not fit, and writes the summary as a line of the transcript. It reports whether
// it did. Where it could not, the run goes on without: the oldest messages are
// then just not told.
func (r *run) compact(m model.Model, t model.Turn, ids []string, window int64) bool {
	_, left := fit(t, window/keptShare, 0)
	cut := left
	if len(t.Messages) > 0 && t.Messages[0].Summary {
		cut++ // fit keeps it; the new summary takes it in
	}
	if left == 0 || ids[cut] == "" {
		return false
	}
	r.reportCompacting(false, false)
	err := r.sumUp(m, t.Messages[:cut], ids[cut], window)
	r.reportCompacting(true, err == nil)
	if err != nil && r.ctx.Err() == nil {
		r.e.o.Log.Warn("the conversation could not be summed up", "run", r.turn.RunID, "session", r.turn.Key, "model", r.spoken.String(), "err", err)
	}
	return err == nil
}

// sumUp writes a summary of old, the messages before the line kept.
func (r *run) sumUp(m model.Model, old []model.Message, kept string, window int64) error {
	ask := model.Turn{System: summarySystem}
	for _, message := range old {
		message.Images = nil
		ask.Messages = append(ask.Messages, message)
	}
	ask.Messages = append(ask.Messages, model.Message{Role: model.User, Text: summaryOrder})
	ask, _ = fit(ask, window, window/summaryShare)
	var before int64
	for _, message := range old {
		before += estimate(message)
	}
	text, usage, err := r.hearSummary(m, ask, window/summaryShare*bytesPerToken)
	if err != nil {
		return err
	}
	line := transcript.Line{Type: "compaction", At: time.Now(), Fields: rawjson.NewObject(
		rawjson.Member{Name: "summary", Value: rawjson.MustMarshal(text)},
		rawjson.Member{Name: "firstKeptEntryId", Value: rawjson.MustMarshal(kept)},
		rawjson.Member{Name: "tokensBefore", Value: rawjson.MustMarshal(before)},
		rawjson.Member{Name: "details", Value: rawjson.MustMarshal(summaryDetails{r.spoken.String(), r.tokensOf(usage)})},
	)}
	if _, err := r.e.o.Transcripts.Append(r.ref, r.workspace(), line); err != nil {
		return fmt.Errorf("failed to write transcript: %w", err)
	}
	r.e.o.Log.Info("conversation summed up", "run", r.turn.RunID, "session", r.turn.Key, "model", r.spoken.String(),
		"messages", len(old), "tokens", before, "bytes", len(text))
	return r.update(func(fields *rawjson.Object) {
		n, _ := rawjson.Number(fields.Get("compactionCount"))
		fields.Put("compactionCount", n+1)
		if usage != nil { // it is spent, whatever becomes of the run
			r.charge(fields, *usage)
		}
	})
}

// hearSummary is the answer of m to ask, which must not be longer than most
// bytes.
func (r *run) hearSummary(m model.Model, ask model.Turn, most int64) (string, *model.Usage, error) {
	ctx, stop := context.WithCancel(r.ctx)
	defer stop()
	var text strings.Builder
	var usage *model.Usage
	for d, err := range m.Stream(ctx, ask) {
		if err != nil {
			return "", nil, err
		}
		text.WriteString(d.Text)
		if d.Usage != nil {
			usage = d.Usage
		}
		if int64(text.Len()) > most {
			return "", nil, errLongSummary
		}
	}
	if jstext.Blank(text.String()) {
		return "", nil, errNoSummary
	}
	return jstext.Trim(text.String()), usage, nil
}

var (
	errLongSummary = errors.New("the model's summary is too long")
	errNoSummary   = errors.New("the model gave no summary")
)

// reportCompacting tells that the conversation is being summed up, or was.
func (r *run) reportCompacting(ended, done bool) {
	r.report(func(seq int) {
		r.e.o.Observer.Compacting(Summing{RunID: r.turn.RunID, Key: r.turn.Key, Seq: seq, At: nowMs(), Ended: ended, Done: done})
	})
}
