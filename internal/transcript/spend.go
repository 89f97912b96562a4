package transcript

import (
	"io"
	"math"
	"slices"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// maxTime is the last moment, in ms, that a date can name in JavaScript.
const maxTime = 8.64e15

// Rates is the price of a model in dollars per million tokens.
type Rates struct{ Input, Output, CacheRead, CacheWrite float64 }

// Prices knows the rates of models, if they are configured.
type Prices func(provider, model string) (Rates, bool)

// spend is what one message of a conversation tells a usage report.
type spend struct {
	role            string
	at              time.Time // zero when the line does not say
	message         rawjson.Object
	parts           []rawjson.Object
	provider, model string
	durationMs      float64
	timed           bool // the line says how long the answer took
	used            bool // the message names its usage
	tokens          tokens
	cost            float64
	costKnown       bool
	estimated       bool // by rates, not named by the provider
}

// sum is all tokens of the message.
func (s *spend) sum() float64 {
	return s.tokens.input + s.tokens.output + s.tokens.cacheRead + s.tokens.cacheWrite
}

// total is the number of tokens that the provider calls the total, else all.
func (s *spend) total() float64 {
	if s.tokens.hasTotal {
		return s.tokens.total
	}
	return s.sum()
}

// eachSpend reads a file and hands on its messages of the given roles.
func eachSpend(r io.ReaderAt, size int64, prices Prices, roles []string, yield func(*spend)) error {
	for in := newLines(r, size); ; {
		line, ok, err := in.line()
		if err != nil || !ok {
			return err
		}
		f, _ := parse(readable(line.text))
		if rawjson.Kind(f.Message) != '{' {
			continue
		}
		m, err := rawjson.Parse(f.Message)
		if err != nil || !slices.Contains(roles, m.Text("role")) {
			continue
		}
		yield(readSpend(&f, m, prices))
	}
}

func readSpend(f *fields, m rawjson.Object, prices Prices) *spend {
	s := &spend{role: m.Text("role"), message: m, parts: objects(m.Get("content")), at: lineTime(f, m)}
	s.provider = firstString(m.Get("provider"), f.Provider)
	s.model = firstString(m.Get("model"), f.Model)
	s.durationMs, s.timed = rawjson.Number(m.Get("durationMs"))
	if !s.timed {
		s.durationMs, s.timed = rawjson.Number(f.DurationMs)
	}
	s.tokens = readTokens(first(m.Get("usage"), f.Usage))
	if s.used = s.tokens.counted; !s.used {
		return s
	}
	if s.tokens.hasCost {
		s.cost, s.costKnown = s.tokens.cost, true
	}
	if s.costKnown || prices == nil {
		return s
	}
	if r, ok := prices(s.provider, s.model); ok {
		t := s.tokens
		s.cost = (t.input*r.Input + t.output*r.Output + t.cacheRead*r.CacheRead + t.cacheWrite*r.CacheWrite) / 1e6
		s.costKnown, s.estimated = true, true
	}
	return s
}

// firstString is the string that a holds, or the one that b holds.
func firstString(a, b rawjson.Value) string {
	if rawjson.Kind(a) == '"' {
		return text(a)
	}
	return text(b)
}

// lineTime is when a line was written, by itself or by its message.
func lineTime(f *fields, m rawjson.Object) time.Time {
	if t, ok := parseTime(text(f.Timestamp)); ok {
		return t
	}
	if ms, ok := rawjson.Number(m.Get("timestamp")); ok && math.Abs(ms) <= maxTime {
		return time.UnixMilli(int64(ms))
	}
	return time.Time{}
}

// calledTools are the names of the tools that a message calls, each once.
func (s *spend) calledTools() []string { return toolNames(s.message, s.parts) }

// toolResults counts the results of tools in a message and those of them that
// are errors.
func (s *spend) toolResults() (results, faults int) {
	for _, p := range s.parts {
		switch jstext.Lower(p.Text("type")) {
		case "tool_result", "tool_result_error":
			results++
			if bad, _ := rawjson.Bool(p.Get("is_error")); bad {
				faults++
			}
		}
	}
	return results, faults
}

// failed reports whether an answer ended as it should not.
func (s *spend) failed() bool {
	return slices.Contains([]string{"error", "aborted", "timeout"}, s.message.Text("stopReason"))
}
