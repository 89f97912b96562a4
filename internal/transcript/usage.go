package transcript

import "github.com/parleyd/parley/internal/rawjson"

// Usage is what the answers in a transcript cost, as far as the models said.
type Usage struct {
	TotalTokens int64 // what the last answer's request filled of the context
	// Sums over all answers.
	Input, Output, CacheRead, CacheWrite int64
	Cost                                 float64
	HasCost                              bool   // some answer named its cost
	Provider, Model                      string // of the last answer that names them
}

// tally gathers Usage line by line.
type tally struct {
	usage Usage
	any   bool
}

// Usage is the usage of the transcript of r; it is not there when no answer
// tells any, or when the file cannot be read.
func (l *Library) Usage(r Ref) (Usage, bool) {
	ix := l.look(r)
	if ix == nil {
		return Usage{}, false
	}
	return ix.tally.usage, ix.tally.any
}

// note takes in one answer.
func (t *tally) note(usage, provider, model rawjson.Value) {
	u := readTokens(usage)
	p, m := text(provider), text(model)
	if p == "openclaw" && m == "delivery-mirror" {
		p, m = "", ""
	}
	if !u.nonzero() && !u.hasCost && p == "" && m == "" {
		return
	}
	t.any = true
	s := &t.usage
	s.Input += u.input
	s.Output += u.output
	s.CacheRead += u.cacheRead
	s.CacheWrite += u.cacheWrite
	if n := u.input + u.cacheRead + u.cacheWrite; n > 0 {
		s.TotalTokens = n
	}
	if u.hasCost {
		s.Cost += u.cost
		s.HasCost = true
	}
	if p != "" {
		s.Provider = p
	}
	if m != "" {
		s.Model = m
	}
}

// tokens is one answer's usage under any of the names that providers give.
type tokens struct {
	input, output, cacheRead, cacheWrite, total int64
	hasTotal                                    bool
	cost                                        float64
	hasCost                                     bool
	costs                                       rawjson.Object // the cost object, when there is one
}

func (t tokens) nonzero() bool {
	return t.input > 0 || t.output > 0 || t.cacheRead > 0 || t.cacheWrite > 0 || t.total > 0
}

// readTokens reads a usage object.
func readTokens(v rawjson.Value) tokens {
	o, err := rawjson.Parse(v)
	if err != nil {
		return tokens{}
	}
	cached := rawjson.Object{}
	if d, err := rawjson.Parse(o.Get("prompt_tokens_details")); err == nil {
		cached = d
	}
	var t tokens
	t.input, _ = count(o, "input", "inputTokens", "input_tokens", "promptTokens", "prompt_tokens")
	t.output, _ = count(o, "output", "outputTokens", "output_tokens", "completionTokens", "completion_tokens")
	ok := false
	if t.cacheRead, ok = count(o, "cacheRead", "cache_read", "cache_read_input_tokens", "cached_tokens"); !ok {
		t.cacheRead, _ = count(cached, "cached_tokens")
	}
	t.cacheWrite, _ = count(o, "cacheWrite", "cache_write", "cache_creation_input_tokens")
	t.total, t.hasTotal = count(o, "total", "totalTokens", "total_tokens")
	if c, err := rawjson.Parse(o.Get("cost")); err == nil {
		t.costs = c
		t.cost, t.hasCost = rawjson.Number(c.Get("total"))
		t.hasCost = t.hasCost && t.cost >= 0
	}
	return t
}

// count is the first of the named members that is not null, as a number of
// tokens; a negative one counts as none used.
func count(o rawjson.Object, names ...string) (n int64, ok bool) {
	for _, name := range names {
		v := o.Get(name)
		if rawjson.Null(v) {
			continue
		}
		f, ok := rawjson.Number(v)
		return max(0, int64(f)), ok
	}
	return 0, false
}
