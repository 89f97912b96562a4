package gatewaytest

import (
	"maps"
	"regexp"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
)

// pairing matches the masked ids of what came with those of what was
// recorded. Ids are numbered by first sight, also in fields that are ignored,
// and two gateways may show them in another order. So the numbers need not be
// equal; the pairing must be one to one. An id that has no partner yet is
// written with ? in place of #.
type pairing struct {
	token    *regexp.Regexp
	toWant   map[string]string
	fromWant map[string]bool
}

func newPairing() *pairing {
	return &pairing{regexp.MustCompile(`<(uuid|hex|key)([#?])([0-9]+)>`), map[string]string{}, map[string]bool{}}
}

func (p *pairing) copy() *pairing {
	return &pairing{p.token, maps.Clone(p.toWant), maps.Clone(p.fromWant)}
}

// rename writes known ids as they were recorded and marks the others.
func (p *pairing) rename(s string) string {
	return p.token.ReplaceAllStringFunc(s, func(t string) string {
		if w, ok := p.toWant[t]; ok {
			return w
		}
		return strings.Replace(t, "#", "?", 1)
	})
}

func (p *pairing) renameAll(v any) any {
	switch v := v.(type) {
	case string:
		return p.rename(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = p.renameAll(e)
		}
		return out
	case *object:
		out := newObject()
		for _, k := range v.keys {
			out.set(p.rename(k), p.renameAll(v.vals[k]))
		}
		return out
	}
	return v
}

// match reports whether two texts are equal but for ids that pair, and pairs
// these.
func (p *pairing) match(want, got string) bool {
	w, g := p.token.FindAllString(want, -1), p.token.FindAllString(got, -1)
	if len(w) == 0 || len(w) != len(g) || p.token.ReplaceAllString(want, "<$1>") != p.token.ReplaceAllString(got, "<$1>") {
		return false
	}
	for i := range w {
		if w[i] == g[i] {
			continue
		}
		key := strings.Replace(g[i], "?", "#", 1)
		if have, ok := p.toWant[key]; ok && have != w[i] {
			return false
		} else if !ok && (p.fromWant[w[i]] || !strings.Contains(g[i], "?")) {
			return false
		}
		p.toWant[key], p.fromWant[w[i]] = w[i], true
	}
	return true
}

// difference is one place where what came is not what was recorded.
type difference struct{ path, text string }

// diff lists the differences of two values.
func (p *pairing) diff(want, got any, path string) []difference {
	if same(want, got) {
		return nil
	}
	if w, ok := want.(string); ok {
		if g, ok := got.(string); ok && p.match(w, g) {
			return nil
		}
	}
	var out []difference
	switch w := want.(type) {
	case *object:
		if g, ok := got.(*object); ok {
			p.matchNames(w, g)
			for _, k := range union(w.keys, g.keys) {
				out = append(out, p.diff(w.get(k), g.get(k), below(path, k))...)
			}
			return out
		}
	case []any:
		if g, ok := got.([]any); ok {
			for i := range max(len(w), len(g)) {
				k := strconv.Itoa(i)
				out = append(out, p.diff(member(w, k), member(g, k), below(path, k))...)
			}
			return out
		}
	}
	return []difference{{path, "want " + shown(want) + ", got " + shown(got)}}
}

// matchNames gives members whose name has an unpaired id the recorded name.
func (p *pairing) matchNames(want, got *object) {
	for _, k := range append([]string(nil), got.keys...) {
		if !strings.Contains(k, "?") || want.has(k) {
			continue
		}
		for _, w := range want.keys {
			if !got.has(w) && p.match(w, k) {
				got.set(w, got.vals[k])
				got.delete(k)
				break
			}
		}
	}
}

// same is Object.is for values that are no objects or arrays.
func same(a, b any) bool {
	switch a.(type) {
	case []any, *object:
		return false
	}
	switch b.(type) {
	case []any, *object:
		return false
	}
	return a == b
}

func union(a, b []string) []string {
	out := append([]string(nil), a...)
	have := map[string]bool{}
	for _, k := range a {
		have[k] = true
	}
	for _, k := range b {
		if !have[k] {
			out = append(out, k)
		}
	}
	return out
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shown is a value as a fault shows it.
func shown(v any) string {
	t, ok := stringify(v)
	switch {
	case !ok:
		return "(absent)"
	case jstext.Len(t) > 160:
		return jstext.Cut(t, 160) + "…"
	}
	return t
}
