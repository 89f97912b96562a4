package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/parleyd/parley/internal/rawjson"
)

// reference is ${NAME}, with one more $ before it when it is meant literally.
var reference = regexp.MustCompile(`\$?\$\{[A-Z_][A-Z0-9_]*\}`)

// A substitution replaces ${NAME} in all texts of a configuration.
type substitution struct {
	env      environment
	missing  []missing
	unset    map[string]bool // paths of texts in which a variable was missing
	warnedAt map[string]bool
}

// missing is one variable that a text refers to and that is not set.
type missing struct{ name, path string }

func substitute(v rawjson.Value, env environment) (rawjson.Value, *substitution) {
	s := &substitution{env: env, unset: map[string]bool{}, warnedAt: map[string]bool{}}
	return s.value(v, place{}), s
}

// A place is a path in a configuration in both spellings: "a.0.b" as problems
// name it, and "a[0].b" as the warning about a missing variable does.
type place struct{ dotted, indexed string }

func (p place) member(name string) place {
	return place{join(p.dotted, name), join(p.indexed, name)}
}

func (p place) element(i int) place {
	return place{join(p.dotted, strconv.Itoa(i)), fmt.Sprintf("%s[%d]", p.indexed, i)}
}

// join appends a member's name to a dotted path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (s *substitution) value(v rawjson.Value, at place) rawjson.Value {
	switch rawjson.Kind(v) {
	case '{':
		o, err := rawjson.Parse(v)
		if err != nil {
			return v
		}
		for name, member := range o.Clone().All() {
			o.Set(name, s.value(member, at.member(name)))
		}
		return o.JSON()
	case '[':
		list, _ := rawjson.Array(v)
		for i := range list {
			list[i] = s.value(list[i], at.element(i))
		}
		return rawjson.MustMarshal(list)
	case '"':
		text, ok := rawjson.Text(v)
		if !ok || !strings.Contains(text, "${") {
			return v
		}
		return rawjson.MustMarshal(s.text(text, at))
	}
	return v
}

func (s *substitution) text(text string, at place) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string {
		if literal, ok := strings.CutPrefix(ref, "$$"); ok {
			return "$" + literal
		}
		name := ref[2 : len(ref)-1]
		if value := s.env.get(name); value != "" {
			return value
		}
		s.unset[at.dotted] = true
		if once := name + "\x00" + at.dotted; !s.warnedAt[once] {
			s.warnedAt[once] = true
			s.missing = append(s.missing, missing{name, at.indexed})
		}
		return ref
	})
}

// warnings name the missing variables of file, each place once.
func (s *substitution) warnings(file string) []Warning {
	var out []Warning
	for _, m := range s.missing {
		out = append(out, Warning(fmt.Sprintf("Config (%s): missing env var %q at %s — feature using this value will be unavailable", file, m.name, m.path)))
	}
	return out
}
