package transcript

import (
	"cmp"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// Usage is what the answers in a transcript cost, as far as the models said.
type Usage struct {
	TotalTokens float64 // what the last answer's request filled of the context
	// Sums over all answers.
	Input, Output, CacheRead, CacheWrite float64
	Cost                                 float64
	HasCost                              bool   // some answer named its cost
	Provider, Model                      string // of the last answer that names them
}

// tally gathers Usage line by line.
type tally struct {
	usage Usage
	any   bool
	// costs, if not nil, gets the costs in order instead of their sum: sums of
	// parts would be rounded otherwise than the sum of all.
	costs *[]float64
}

// Usage is the usage of the transcript; it is not there when no answer tells
// any, or when the file cannot be read.
func (k *Look) Usage() (Usage, bool) {
	ix := k.index()
	if ix == nil {
		return Usage{}, false
	}
	return ix.tally.usage, ix.tally.any
}

// note takes in one answer.
func (t *tally) note(usage, provider, model rawjson.Value) {
	u := readTokens(usage)
	s := &t.usage
	p, m := sameText(provider, s.Provider), sameText(model, s.Model)
	if p == "openclaw" && m == "delivery-mirror" {
		p, m = "", ""
	}
	if !u.nonzero() && !u.hasCost && p == "" && m == "" {
		return
	}
	t.any = true
	s.Input += u.input
	s.Output += u.output
	s.CacheRead += u.cacheRead
	s.CacheWrite += u.cacheWrite
	if n := u.input + u.cacheRead + u.cacheWrite; n > 0 {
		s.TotalTokens = n
	}
	if u.hasCost {
		t.pay(u.cost)
	}
	if p != "" {
		s.Provider = p
	}
	if m != "" {
		s.Model = m
	}
}

func (t *tally) pay(cost float64) {
	t.usage.HasCost = true
	if t.costs != nil {
		*t.costs = append(*t.costs, cost)
		return
	}
	t.usage.Cost += cost
}

// join adds what follows, which has its costs listed.
func (t *tally) join(o tally) {
	s := &t.usage
	t.any = t.any || o.any
	s.Input += o.usage.Input
	s.Output += o.usage.Output
	s.CacheRead += o.usage.CacheRead
	s.CacheWrite += o.usage.CacheWrite
	s.TotalTokens = cmp.Or(o.usage.TotalTokens, s.TotalTokens)
	s.Provider = cmp.Or(o.usage.Provider, s.Provider)
	s.Model = cmp.Or(o.usage.Model, s.Model)
	for _, cost := range *o.costs {
		t.pay(cost)
	}
}

// sameText is the string that v holds, trimmed: last, mostly, and then it takes
// no memory.
func sameText(v rawjson.Value, last string) string {
	if s, ok := simple(v); ok && string(s) == last {
		return last
	}
	return jstext.Trim(text(v))
}

// tokens is one answer's usage under any of the names that providers give.
// Numbers are kept as they are written, fractions too.
type tokens struct {
	input, output, cacheRead, cacheWrite, total float64
	hasTotal                                    bool
	counted                                     bool // it has any of the counts
	cost                                        float64
	hasCost                                     bool
	costs                                       rawjson.Value // the cost object, when there is one
}

func (t tokens) nonzero() bool {
	return t.input > 0 || t.output > 0 || t.cacheRead > 0 || t.cacheWrite > 0 || t.total > 0
}

// The names of each count, the one that is looked at first in front.
var (
	inputNames      = []string{"input", "inputTokens", "input_tokens", "promptTokens", "prompt_tokens"}
	outputNames     = []string{"output", "outputTokens", "output_tokens", "completionTokens", "completion_tokens"}
	cacheReadNames  = []string{"cacheRead", "cache_read", "cache_read_input_tokens", "cached_tokens"}
	cacheWriteNames = []string{"cacheWrite", "cache_write", "cache_creation_input_tokens"}
	totalNames      = []string{"total", "totalTokens", "total_tokens"}
)

// readTokens reads a usage object.
func readTokens(v rawjson.Value) tokens {
	var members usageMembers
	if !members.read(v) {
		return tokens{}
	}
	var t tokens
	var hasInput, hasOutput, hasRead, hasWrite bool
	t.input, hasInput = members.count(inputNames)
	t.output, hasOutput = members.count(outputNames)
	if t.cacheRead, hasRead = members.count(cacheReadNames); !hasRead {
		var cached usageMembers
		cached.read(members.get("prompt_tokens_details"))
		t.cacheRead, hasRead = cached.count([]string{"cached_tokens"})
	}
	t.cacheWrite, hasWrite = members.count(cacheWriteNames)
	t.total, t.hasTotal = members.number(totalNames)
	t.counted = hasInput || hasOutput || hasRead || hasWrite || t.hasTotal
	var costs usageMembers
	if c := members.get("cost"); costs.read(c) {
		t.costs = c
		t.cost, t.hasCost = rawjson.Number(costs.get("total"))
		t.hasCost = t.hasCost && t.cost >= 0
	}
	return t
}

// usageMembers are the members of a usage object. There are few: a scan of a
// long transcript reads one for each answer and must not copy it.
type usageMembers struct {
	list  [16]usageMember
	n     int
	extra []usageMember
}

type usageMember struct{ name, value []byte }

// read is false for what is no object.
func (u *usageMembers) read(v rawjson.Value) bool {
	return each(v, func(name, value []byte) {
		if u.n < len(u.list) {
			u.list[u.n] = usageMember{name, value}
			u.n++
			return
		}
		u.extra = append(u.extra, usageMember{name, value})
	})
}

// get is the last member of a name.
func (u *usageMembers) get(name string) rawjson.Value {
	for i := len(u.extra) - 1; i >= 0; i-- {
		if string(u.extra[i].name) == name {
			return u.extra[i].value
		}
	}
	for i := u.n - 1; i >= 0; i-- {
		if string(u.list[i].name) == name {
			return u.list[i].value
		}
	}
	return nil
}

// count is number for what can only be used, not gained: a negative number
// counts as none used.
func (u *usageMembers) count(names []string) (n float64, ok bool) {
	n, ok = u.number(names)
	return max(0, n), ok
}

// number is the first of the named members that is not null, if it is one.
func (u *usageMembers) number(names []string) (n float64, ok bool) {
	for _, name := range names {
		v := u.get(name)
		if len(v) == 0 || kindIs(v, 'n') {
			continue
		}
		if n, ok := smallNumber(v); ok {
			return n, true
		}
		return rawjson.Number(v)
	}
	return 0, false
}

// smallNumber is the usual case: a few digits.
func smallNumber(v rawjson.Value) (f float64, ok bool) {
	if len(v) > 15 {
		return 0, false
	}
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return float64(n), true
}
