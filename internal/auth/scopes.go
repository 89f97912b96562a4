package auth

import (
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
)

// operatorPrefix begins every scope that operator.admin covers.
const operatorPrefix = "operator."

// NormalizeScopes is the form in which a token's scopes are kept: trimmed,
// each once, with the scopes that admin and write imply, sorted.
func NormalizeScopes(scopes []string) []string {
	out := union(scopes)
	if slices.Contains(out, string(protocol.ScopeAdmin)) {
		out = union(out, []string{string(protocol.ScopeWrite)})
	}
	if slices.Contains(out, string(protocol.ScopeWrite)) {
		out = union(out, []string{string(protocol.ScopeRead)})
	}
	slices.Sort(out)
	return out
}

// ScopesWithin reports whether granted covers everything asked. For operators
// admin covers every operator scope and write covers read; other roles need
// each scope by name. Asking for nothing is always within.
func ScopesWithin(role string, asked, granted []string) bool {
	return MissingScope(role, asked, granted) == ""
}

// MissingScope is the first scope asked that granted does not cover, or "".
func MissingScope(role string, asked, granted []string) string {
	have := union(granted)
	for _, s := range union(asked) {
		if !covers(role, have, s) {
			return s
		}
	}
	return ""
}

func covers(role string, have []string, scope string) bool {
	if slices.Contains(have, scope) {
		return true
	}
	if role != protocol.RoleOperator {
		return false
	}
	if strings.HasPrefix(scope, operatorPrefix) && slices.Contains(have, string(protocol.ScopeAdmin)) {
		return true
	}
	return scope == string(protocol.ScopeRead) && slices.Contains(have, string(protocol.ScopeWrite))
}

// union joins lists of names in order: trimmed, none blank, each once.
func union(lists ...[]string) []string {
	out := []string{}
	for _, list := range lists {
		for _, name := range list {
			if name = jstext.Trim(name); name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// sameSet reports whether two lists without repetitions hold the same names.
func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, name := range a {
		if !slices.Contains(b, name) {
			return false
		}
	}
	return true
}
