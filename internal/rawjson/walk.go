package rawjson

import "slices"

// Walk checks that data is exactly one JSON object, white space around it
// allowed, and calls f for each member in order, repeated names included. value
// is as written and shares data's memory. name is decoded; it shares data's
// memory when it could, and otherwise is f's to keep.
//
// f sees the members before an error when the error is found; an error of f ends
// the walk and is returned. Other JSON gives ErrNotObject, after no call.
func Walk(data []byte, f func(name []byte, value Value) error) error {
	s := scanner{data: data}
	return s.object(f)
}

// CompactObject is Walk and AppendCompact in one pass: it appends the object
// without insignificant white space to dst. f gets compact values, which share
// dst's memory as it then is: it moves only when dst has not room for len(data)
// more bytes. On an error dst is returned as it was.
func CompactObject(dst, data []byte, f func(name []byte, value Value) error) ([]byte, error) {
	s := scanner{data: data, compact: true, dst: slices.Grow(dst, len(data))}
	if err := s.object(f); err != nil {
		return dst, err
	}
	return s.dst, nil
}

// AppendCompact checks that v is exactly one JSON value, and appends it without
// insignificant white space to dst; strings and numbers keep their spelling. On
// an error dst is returned as it was.
func AppendCompact(dst, v []byte) ([]byte, error) {
	s := scanner{data: v, compact: true, dst: slices.Grow(dst, len(v))}
	if err := s.whole(); err != nil {
		return dst, err
	}
	return s.dst, nil
}

// Compact is v without insignificant white space; strings and numbers keep
// their spelling.
func Compact(v Value) (Value, error) {
	b, err := AppendCompact(make([]byte, 0, len(v)), v)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Valid reports whether data is exactly one JSON value.
func Valid(data []byte) bool {
	s := scanner{data: data}
	return s.whole() == nil
}

// object reads the whole data as one object and tells f its members.
func (s *scanner) object(f func(name []byte, value Value) error) error {
	i := s.skip(0)
	if s.at(i) != '{' {
		if err := s.whole(); err != nil {
			return err
		}
		return ErrNotObject
	}
	i = s.enter(i, '{')
	if s.at(i) == '}' {
		return s.err(s.end(i + 1))
	}
	for {
		end, next := s.name(i)
		if next < 0 {
			return s.err(next)
		}
		name := s.data[i:end]
		value, next := s.element(next)
		if next < 0 {
			return s.err(next)
		}
		if err := f(unquote(name), value); err != nil {
			return err
		}
		switch i = s.skip(next); s.at(i) {
		case ',':
			i = s.skip(i + 1)
		case '}':
			return s.err(s.end(i + 1))
		default:
			return s.err(^i)
		}
	}
}

// element reads the value at i and answers it too.
func (s *scanner) element(i int) (Value, int) {
	i = s.skip(i)
	if !s.compact {
		end := s.value(i)
		if end < 0 {
			return nil, end
		}
		return Value(s.data[i:end:end]), end
	}
	from := len(s.dst) + i - s.copied // where it comes to stand
	if i = s.value(i); i < 0 {
		return nil, i
	}
	s.flush(i)
	to := len(s.dst)
	return Value(s.dst[from:to:to]), i
}
