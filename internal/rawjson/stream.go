package rawjson

import (
	"errors"
	"io"
)

// firstRead is how much of a stream is read at a time. The caches of a processor
// hold that much; of a large file that is read whole, the memory costs more than
// the reading.
const firstRead = 256 << 10

// ReadObject is Walk of what r holds, in parts: it checks that this is exactly one
// JSON object and calls f for each member in order, with the value compact
// (AppendCompact). Name and value hold for the call only. Memory is kept for the
// largest member, not for the whole; of JSON that is wrong everything behind the
// fault may be read into memory.
//
// f sees the members before an error when the error is found; an error of f ends
// the walk and is returned, as one of r is. Other JSON gives ErrNotObject, after
// no call; nothing at all is a SyntaxError.
func ReadObject(r io.Reader, f func(name []byte, value Value) error) error {
	in := stream{src: r, data: make([]byte, 0, firstRead)}
	if err := in.seek(); err != nil {
		return err
	}
	if in.first() != '{' {
		return in.noObject()
	}
	in.pos++
	if err := in.seek(); err != nil {
		return err
	}
	if in.first() != '}' {
		if err := in.members(f); err != nil {
			return err
		}
	}
	in.pos++
	if err := in.seek(); err != nil {
		return err
	}
	if in.pos < len(in.data) {
		return in.fault(^in.pos)
	}
	return nil
}

// stream is a part of what a reader holds.
type stream struct {
	src    io.Reader
	ended  bool
	before int    // bytes that were dropped before data
	data   []byte // read and not dropped
	pos    int    // of what is still to be looked at

	scratch []byte // of one value
	deep    bool   // what is wrong is the depth
}

// first is the byte that comes next, 0 at the end.
func (in *stream) first() byte {
	if in.pos < len(in.data) {
		return in.data[in.pos]
	}
	return 0
}

// seek passes over white space, and has the byte behind it read if there is one.
func (in *stream) seek() error {
	for {
		s := scanner{data: in.data}
		if in.pos = s.skip(in.pos); in.pos < len(in.data) || in.ended {
			return nil
		}
		if err := in.more(); err != nil {
			return err
		}
	}
}

// more reads on. What was looked at is dropped.
func (in *stream) more() error {
	in.before += in.pos
	rest := copy(in.data, in.data[in.pos:])
	in.data, in.pos = in.data[:rest], 0
	if rest > cap(in.data)/2 {
		in.data = append(make([]byte, 0, 2*cap(in.data)), in.data...)
	}
	n, err := io.ReadFull(in.src, in.data[rest:cap(in.data)])
	in.data = in.data[:rest+n]
	if in.ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); in.ended {
		return nil
	}
	return err
}

// members tells f all members from the first one's name on, and leaves the
// closing bracket to come next.
func (in *stream) members(f func([]byte, Value) error) error {
	for {
		name, value, end := in.member()
		if end < 0 && !in.ended { // there may be more of it
			if err := in.more(); err != nil {
				return err
			}
			continue
		}
		if value != nil {
			if err := f(name, value); err != nil {
				return err
			}
		}
		if end < 0 {
			return in.fault(end)
		}
		in.pos = end
		if in.data[end] == '}' {
			return nil
		}
		in.pos++
		if err := in.seek(); err != nil {
			return err
		}
	}
}

// member reads a member, and what stands behind it: end is its place, below zero
// where the text is wrong or ends before. value is nil when it is not whole.
func (in *stream) member() (name []byte, value Value, end int) {
	s := scanner{data: in.data, depth: 1, inner: 1}
	nameEnd, next := s.name(in.pos)
	if next < 0 {
		return nil, nil, next
	}
	s.compact, s.dst, s.copied = true, in.scratch[:0], s.skip(next)
	value, next = s.element(s.copied)
	in.scratch, in.deep = s.dst, s.deep
	if next < 0 {
		return nil, nil, next
	}
	if end = s.skip(next); s.at(end) != ',' && s.at(end) != '}' {
		end = ^end
	}
	return unquote(in.data[in.pos:nameEnd]), value, end
}

// fault is the error of wrong JSON; i is as the scanner has it.
func (in *stream) fault(i int) error {
	s := scanner{data: in.data, base: in.before, deep: in.deep}
	return s.err(i)
}

// noObject is what is wrong with something else.
func (in *stream) noObject() error {
	for !in.ended {
		if err := in.more(); err != nil {
			return err
		}
	}
	s := scanner{data: in.data[in.pos:], base: in.before + in.pos}
	if err := s.whole(); err != nil {
		return err
	}
	return ErrNotObject
}
