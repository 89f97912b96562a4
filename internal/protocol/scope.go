package protocol

import "slices"

// Scope is a right that a method asks for.
type Scope string

// The scopes of operators. ScopeNone is what a method asks for that is open to
// every connection.
const (
	ScopeNone      Scope = ""
	ScopeRead      Scope = "operator.read"
	ScopeWrite     Scope = "operator.write"
	ScopeAdmin     Scope = "operator.admin"
	ScopeApprovals Scope = "operator.approvals"
	ScopePairing   Scope = "operator.pairing"
)

// ScopeSet is what a connection may do. It is immutable; the zero value allows
// nothing but ScopeNone.
type ScopeSet struct {
	names []string
	read  bool
	write bool
	admin bool
}

// NewScopeSet makes a set of the names; unknown ones grant nothing.
func NewScopeSet(names ...string) ScopeSet {
	s := ScopeSet{names: slices.Clone(names)}
	s.admin = s.Has(string(ScopeAdmin))
	s.write = s.admin || s.Has(string(ScopeWrite))
	s.read = s.write || s.Has(string(ScopeRead))
	return s
}

// Allows reports whether the set satisfies required: admin satisfies all,
// write satisfies read.
func (s ScopeSet) Allows(required Scope) bool {
	switch required {
	case ScopeNone:
		return true
	case ScopeRead:
		return s.read
	case ScopeWrite:
		return s.write
	}
	return s.admin || s.Has(string(required))
}

// Has reports whether name itself is in the set.
func (s ScopeSet) Has(name string) bool { return slices.Contains(s.names, name) }

// Names are the names as they were given, in order; the caller may keep them.
func (s ScopeSet) Names() []string { return slices.Clone(s.names) }
