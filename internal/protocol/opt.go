package protocol

import "github.com/parleyd/parley/internal/rawjson"

// Opt is a member of a JSON object that tells three things apart: absent (the
// zero Opt), null (Set and Null) and a value (Set only). In a struct it wants
// the tag option omitzero.
type Opt[T any] struct {
	Value T
	Set   bool
	Null  bool
}

// Some is an Opt with the value v.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Set: true} }

// IsZero reports whether the member is absent.
func (o Opt[T]) IsZero() bool { return !o.Set }

// UnmarshalJSON reads null or a T.
func (o *Opt[T]) UnmarshalJSON(data []byte) error {
	if rawjson.Null(data) {
		*o = Opt[T]{Set: true, Null: true}
		return nil
	}
	*o = Opt[T]{Set: true}
	return rawjson.Unmarshal(data, &o.Value)
}

// MarshalJSON writes null or the value.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.Null || !o.Set {
		return []byte("null"), nil
	}
	return rawjson.Marshal(o.Value)
}
