package gatewaytest

import (
	"math"
	"regexp"
	"strconv"
	"time"
)

// step is one step of a scenario with its variables filled in.
type step struct {
	*object
	index int
	raw   *object // as written: what was recorded is compared with this
}

// is reports whether the step has a member that counts as true.
func (s *step) is(name string) bool { return truthy(s.get(name)) }

// text is a string member, or fallback.
func (s *step) text(name, fallback string) string {
	if t, ok := s.get(name).(string); ok {
		return t
	}
	return fallback
}

// ms is the step's time limit, or fallback.
func (s *step) ms(fallback int) time.Duration {
	if f, ok := s.get("ms").(float64); ok {
		return time.Duration(f * float64(time.Millisecond))
	}
	return time.Duration(fallback) * time.Millisecond
}

// label names the step in a fault.
func (s *step) label() string {
	for _, name := range []string{"call", "event", "read", "ls", "http"} {
		if v := s.raw.get(name); !nullish(v) {
			return text(v)
		}
	}
	if truthy(s.raw.get("open")) {
		return "open"
	}
	return ""
}

// errorLabel names the step in the fault of a step that failed.
func (s *step) errorLabel() string {
	return text(firstOf(s.get("call"), s.get("event"), ""))
}

// stepKind is one kind of step. The first kind whose member is there decides.
type stepKind struct {
	name string
	is   func(s *step, name string) bool
	play func(*player, *step) error
}

func given(s *step, name string) bool { return s.has(name) }

// stepKinds are the kinds in the order in which the Node player looks.
func stepKinds() []stepKind {
	return []stepKind{
		{"open", (*step).is, (*player).playOpen},
		{"raw", given, (*player).playRaw},
		{"rawFill", (*step).is, (*player).playRawFill},
		{"rawHex", given, (*player).playRawHex},
		{"answer", given, (*player).playAnswer},
		{"call", (*step).is, (*player).playCall},
		{"event", (*step).is, (*player).playEvent},
		{"seqs", (*step).is, (*player).playSeqs},
		{"order", (*step).is, (*player).playOrder},
		{"stop", (*step).is, (*player).playStop},
		{"start", (*step).is, (*player).playStart},
		{"events", (*step).is, (*player).playEvents},
		{"none", (*step).is, (*player).playNone},
		{"closed", (*step).is, (*player).playClosed},
		{"close", (*step).is, (*player).playClose},
		{"sleep", (*step).is, (*player).playSleep},
		{"restart", (*step).is, (*player).playRestart},
		{"kill", (*step).is, (*player).playRestart},
		{"read", (*step).is, (*player).playFile},
		{"ls", (*step).is, (*player).playFile},
		{"write", (*step).is, (*player).playWrite},
		{"http", (*step).is, (*player).playHTTP},
	}
}

// substitute fills in ${name}. A text that is nothing but ${name}, ${name+n}
// or ${name-n} becomes the value itself, or the sum.
func (p *player) substitute(v any) any {
	switch v := v.(type) {
	case string:
		return p.substituteText(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = p.substitute(e)
		}
		return out
	case *object:
		out := newObject()
		for _, k := range v.keys {
			out.set(text(p.substituteText(k)), p.substitute(v.vals[k]))
		}
		return out
	}
	return v
}

func (p *player) substituteText(s string) any {
	if m := regexp.MustCompile(`^\$\{([\w.]+?)([+-][0-9]+)?\}$`).FindStringSubmatch(s); m != nil {
		v := p.variable(m[1])
		if m[2] == "" {
			return v
		}
		n, _ := strconv.ParseFloat(m[2], 64)
		switch v := v.(type) {
		case float64:
			return v + n
		case string:
			return v + numberText(n)
		}
		return math.NaN()
	}
	return regexp.MustCompile(`\$\{([\w.]+)\}`).ReplaceAllStringFunc(s, func(m string) string {
		return text(p.variable(m[2 : len(m)-1]))
	})
}

func (p *player) variable(name string) any {
	if v, ok := p.vars[name]; ok {
		return v
	}
	return undefined
}

// save keeps parts of a value as variables.
func (p *player) save(s *step, v any) {
	names, ok := s.get("save").(*object)
	if !ok {
		return
	}
	for _, name := range names.keys {
		p.vars[name] = at(v, text(names.vals[name]))
	}
}

// check compares a value with the recorded member field of the step and
// returns the faults. Nothing recorded: nothing compared, but ids are numbered.
func (p *player) check(s *step, field string, value any) []Fault {
	got := p.mask.value(clone(value))
	paths, _ := s.raw.get("ignore").([]any)
	for _, path := range paths {
		drop(got, text(path))
	}
	if !s.raw.has(field) {
		return nil
	}
	want := clone(s.raw.get(field))
	for _, path := range paths {
		drop(want, text(path))
	}
	got = p.pairing.renameAll(got)
	if names, ok := got.([]any); ok && truthy(s.raw.get("ls")) {
		sortTexts(names)
	}
	var faults []Fault
	for _, d := range p.pairing.diff(want, got, "") {
		if d.path == "" {
			d.path = pathWhole
		}
		faults = append(faults, Fault{s.index, s.label(), d.path, d.text})
	}
	return faults
}

// compare is check, keeping the faults.
func (p *player) compare(s *step, field string, value any) {
	p.faults = append(p.faults, p.check(s, field, value)...)
}

// clean is a frame without what is never compared. With marks it says whether
// the frame was numbered and carried state versions.
func clean(v any, marks bool) any {
	o, ok := v.(*object)
	if !ok {
		return v
	}
	out := newObject()
	for _, k := range o.keys {
		if k != "id" && k != "seq" && k != "stateVersion" {
			out.set(k, o.vals[k])
		}
	}
	if marks {
		seq, ok := o.get("seq").(float64)
		out.set("hasSeq", ok && seq == math.Trunc(seq))
		out.set("hasStateVersion", o.has("stateVersion"))
	}
	return out
}

// matches reports whether a frame has all that a where or until member asks.
func matches(where any, f *frame) bool {
	o, ok := where.(*object)
	if !ok {
		return true
	}
	for _, path := range o.keys {
		got, there := stringify(at(f.value, path))
		if want, _ := stringify(o.vals[path]); !there || got != want {
			return false
		}
	}
	return true
}
