package transcript

import (
	"errors"
	"math"

	"github.com/parleyd/parley/internal/rawjson"
)

// Message is one message of a transcript as clients see it.
type Message struct {
	ID  string // of the line; empty when it has none
	Seq int    // its number among the messages of the file, from 1
	Raw rawjson.Value
}

// Count is the number of messages, 0 when there is no file.
func (l *Library) Count(r Ref) (int, error) {
	ix, err := l.facts(r)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return ix.listed(), nil
}

// Messages is the last so many messages, all of them when last is 0, none
// when there is no file. It reads only what it returns.
func (l *Library) Messages(r Ref, last int) ([]Message, error) {
	return l.Before(r, math.MaxInt, last)
}

// Before is Messages without those whose number is seq or higher.
func (l *Library) Before(r Ref, seq, last int) ([]Message, error) {
	s, err := l.open(r)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.close()
	ix, err := l.index(s)
	if err != nil {
		return nil, err
	}
	number := max(0, min(ix.listed(), seq-1)) // of the last message wanted
	spans := ix.lastMessages(number, last)
	out := make([]Message, 0, len(spans))
	number -= len(spans)
	err = eachSpan(s, spans, func(_ span, line []byte) error {
		number++
		if m, ok := present(line, number); ok {
			out = append(out, m)
		}
		return nil
	})
	return out, err
}

// lastMessages are the last so many messages up to a number, all of them when
// last is 0.
func (ix *index) lastMessages(number, last int) []span {
	n := number
	if last > 0 {
		n = min(n, last)
	}
	if n == 0 {
		return nil
	}
	out := make([]span, n)
	for i := ix.lines.message(number); n > 0; i-- {
		if ix.lines.flags(i)&flagListed != 0 {
			n--
			out[n] = ix.lines.at(i)
		}
	}
	return out
}

// LastModel is the model of the last snapshot that a run wrote; any is false
// when no run has written to the file yet.
func (l *Library) LastModel(r Ref) (provider, api, model string, any bool) {
	ix := l.Look(r).index()
	if ix == nil {
		return "", "", "", false
	}
	return ix.lastRun.provider, ix.lastRun.api, ix.lastRun.model, ix.lastRun.any
}

// HasIdempotency reports whether a message with this idempotency key is in the
// transcript.
func (l *Library) HasIdempotency(r Ref, key string) bool {
	if key == "" {
		return false
	}
	found, err := l.hasKey(r, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		l.log.Warn("transcript cannot be read", "session", r.SessionID, "err", err)
	}
	return found
}

func (l *Library) hasKey(r Ref, key string) (bool, error) {
	ix, err := l.facts(r)
	if err != nil || len(ix.keys.lines(hashText([]byte(key)))) == 0 {
		return false, err
	}
	// The hash says maybe; the lines say yes or no.
	s, err := l.open(r)
	if err != nil {
		return false, err
	}
	defer s.close()
	if ix, err = l.index(s); err != nil {
		return false, err
	}
	for _, at := range ix.keys.lines(hashText([]byte(key))) {
		if int(at) >= ix.lines.n {
			continue
		}
		line, err := readSpan(s, ix.lines.at(int(at)))
		if err != nil {
			return false, err
		}
		if f, _ := parse(line); text(f.own.IdempotencyKey) == key {
			return true, nil
		}
	}
	return false, nil
}

// facts is the index of a transcript; a known file is not even opened.
func (l *Library) facts(r Ref) (*index, error) {
	p, err := l.existing(r)
	if err != nil {
		return nil, err
	}
	return l.factsAt(p)
}

// factsAt is facts for a file that was found.
func (l *Library) factsAt(p place) (*index, error) {
	if ix := l.cache.index(p.key(), p.info); ix != nil {
		return ix, nil
	}
	s, err := l.openAt(p)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return l.index(s)
}
