package gatewaytest

import (
	"fmt"
	"regexp"
	"strings"
)

// A pattern is the JSON that a wire script expects, in which
//
//	…          stands for any value, for all further members of an object,
//	           or, last in an array, for all further elements
//	"<uuid>"   for any uuid; so "<hex>" (8 or 64 digits), "<key>" (32 bytes in
//	           base64url), "<iso>" and "<ms>" (milliseconds, also as a number);
//	           they may stand inside a longer text
//	"${name}"  for the value that the name has, or gets by this
type pattern struct {
	value any
	vars  map[string]any
	mask  *masker
}

// rest marks an ellipsis in a parsed pattern.
const rest = "…"

func newPattern(text string, vars map[string]any) (pattern, error) {
	v, err := parseJSON([]byte(quoteEllipses(text)))
	if err != nil {
		return pattern{}, err
	}
	// Nothing in a script has a state directory, host name or port to hide:
	// these are the same on every machine.
	return pattern{v, vars, newMasker("\x00", "", 0, 0)}, nil
}

// quoteEllipses makes JSON of a pattern: a member … becomes "…":"…", a value …
// becomes "…".
func quoteEllipses(text string) string {
	var out strings.Builder
	var open []byte // brackets around
	quoted := false
	last := byte(0) // the last byte that is no space
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\' && i+1 < len(text):
			out.WriteByte(c)
			i++
			c = text[i]
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.HasPrefix(text[i:], rest):
			mark := `"…"`
			if len(open) > 0 && open[len(open)-1] == '{' && last != ':' {
				mark = `"…":"…"`
			}
			out.WriteString(mark)
			i, last = i+len(rest)-1, 'x'
			continue
		case c == '{' || c == '[':
			open = append(open, c)
		case (c == '}' || c == ']') && len(open) > 0:
			open = open[:len(open)-1]
		}
		if c != ' ' && c != '\t' {
			last = c
		}
		out.WriteByte(c)
	}
	return out.String()
}

// match returns what is not as the pattern says.
func (p pattern) match(got any) []string { return p.compare(p.value, got, "") }

func (p pattern) compare(want, got any, path string) []string {
	switch want := want.(type) {
	case string:
		if p.text(want, got) {
			return nil
		}
	case *object:
		if g, ok := got.(*object); ok {
			return p.members(want, g, path)
		}
	case []any:
		if g, ok := got.([]any); ok {
			return p.elements(want, g, path)
		}
	default:
		if same(want, clone(got)) && got != any(undefined) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: want %s, got %s", path, shown(want), shown(got))}
}

func (p pattern) members(want, got *object, path string) []string {
	var out []string
	for _, k := range want.keys {
		if k != rest {
			out = append(out, p.compare(want.vals[k], got.get(k), below(path, k))...)
		}
	}
	for _, k := range got.keys {
		if !want.has(k) && !want.has(rest) {
			out = append(out, fmt.Sprintf("%s: want (absent), got %s", below(path, k), shown(got.vals[k])))
		}
	}
	return out
}

func (p pattern) elements(want, got []any, path string) []string {
	open := len(want) > 0 && want[len(want)-1] == any(rest)
	if open {
		want = want[:len(want)-1]
	}
	if len(got) < len(want) || len(got) > len(want) && !open {
		return []string{fmt.Sprintf("%s: want %d elements, got %d: %s", path, len(want), len(got), shown(got))}
	}
	var out []string
	for i := range want {
		out = append(out, p.compare(want[i], got[i], below(path, fmt.Sprint(i)))...)
	}
	return out
}

// text matches what a text of the pattern stands for.
func (p pattern) text(want string, got any) bool {
	if want == rest {
		return got != any(undefined)
	}
	if m := regexp.MustCompile(`^\$\{(\w+)\}$`).FindStringSubmatch(want); m != nil {
		have, ok := p.vars[m[1]]
		if !ok {
			p.vars[m[1]] = got
			return got != any(undefined)
		}
		return same(have, got)
	}
	for name, v := range p.vars {
		want = strings.ReplaceAll(want, "${"+name+"}", text(v))
	}
	if f, ok := got.(float64); ok && want == "<ms>" {
		return f > 9e11 && f < 2e12 // synctest's clock begins in the year 2000
	}
	s, ok := got.(string)
	return ok && (s == want || p.masked(s) == p.masked(want))
}

// masked is a text with its ids masked, without their numbers.
func (p pattern) masked(s string) string {
	return regexp.MustCompile(`<(uuid|hex|key)#[0-9]+>`).ReplaceAllString(p.mask.text(s), "<$1>")
}

// asPattern writes a value as a pattern that matches it on any run.
func (p pattern) asPattern(v any) any {
	switch v := v.(type) {
	case string:
		return p.masked(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = p.asPattern(e)
		}
		return out
	case *object:
		out := newObject()
		for _, k := range v.keys {
			out.set(k, p.asPattern(v.vals[k]))
		}
		return out
	}
	return v
}
