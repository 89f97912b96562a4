package config

import (
	"crypto/subtle"
	"log/slog"
)

// Secret is a text that must not be shown. Printing, logging and marshalling
// it give "[redacted]", or nothing when it is empty; only Reveal gives it.
type Secret struct{ text string }

// redacted stands for a secret wherever one would be shown.
const redacted = "[redacted]"

// NewSecret makes a Secret of text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return s.text }

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.text == "" }

// Equal reports whether both are the same text, in a time that tells nothing.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.text), []byte(o.text)) == 1
}

// String is "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return redacted
}

// GoString is String, so that %#v shows no secret.
func (s Secret) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, so that no JSON shows a secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
