package runs

import "github.com/parleyd/parley/internal/model"

// How the size of a conversation is estimated. A model's own count is not to be
// had before it is asked; four bytes a token is what prose in Latin letters
// comes to, other scripts have fewer characters to a token but more bytes.
const (
	bytesPerToken    = 4
	tokensPerMessage = 4 // for role and frame
	tokensPerImage   = 1600
	// answerShare is the part of the window, as 1 / answerShare, that is kept for
	// the answer at most.
	answerShare = 4
)

// fit leaves out the oldest messages of a conversation until it fits into the
// model's context window beside the answer, and says how many it left out. What
// is left begins with a message of the user: an answer without its question says
// nothing. A summary of what went before stays, as does the last message, be it
// too long: then the server says so. A window of 0 is not known, and all stays.
func fit(t model.Turn, window, answer int64) (model.Turn, int) {
	if window <= 0 {
		return t, 0
	}
	room := window - min(answer, window/answerShare) - estimate(model.Message{Text: t.System})
	first := 0 // of those that may go
	if len(t.Messages) > 0 && t.Messages[0].Summary {
		first = 1
		room -= estimate(t.Messages[0])
	}
	from, i := len(t.Messages), len(t.Messages)-1
	for ; i >= first; i-- {
		room -= estimate(t.Messages[i])
		if room < 0 && i < len(t.Messages)-1 {
			break
		}
		if t.Messages[i].Role == model.User {
			from = i
		}
	}
	left := from - first
	if i < first || left <= 0 {
		return t, 0 // all fits
	}
	kept := append([]model.Message{}, t.Messages[:first]...)
	t.Messages = append(kept, t.Messages[from:]...)
	return t, left
}

// estimateAll is about how many tokens a turn takes.
func estimateAll(t model.Turn) int64 {
	n := estimate(model.Message{Text: t.System})
	for _, m := range t.Messages {
		n += estimate(m)
	}
	return n
}

// estimate is about how many tokens a message takes.
func estimate(m model.Message) int64 {
	if m.Text == "" && len(m.Images) == 0 {
		return 0
	}
	return int64(len(m.Text)/bytesPerToken) + tokensPerMessage + tokensPerImage*int64(len(m.Images))
}
