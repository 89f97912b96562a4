package transcript

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// countingReader counts how often it is asked, and for how much.
type countingReader struct {
	io.ReaderAt
	calls, bytes int
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	c.calls++
	c.bytes += len(p)
	return c.ReaderAt.ReadAt(p, off)
}

func TestLinesThatLieTogetherAreReadAtOnce(t *testing.T) {
	content := []byte(strings.Repeat("x", 3<<20))
	line := func(off, n int64) span { return span{off: off, n: n} }
	var many []span
	for i := range int64(50) {
		many = append(many, line(i*1001, 1000))
	}
	for _, tt := range []struct {
		name         string
		spans        []span
		calls, bytes int
	}{
		{"none", nil, 0, 0},
		{"one", []span{line(5, 10)}, 1, 10},
		{"many in a row", many, 1, 50*1001 - 1},
		{"a small gap", []span{line(0, 10), line(10+maxGap, 10)}, 1, 20 + maxGap},
		{"a large gap", []span{line(0, 10), line(11+maxGap, 10)}, 2, 20},
		{"more than a group", []span{line(0, maxGroup-1), line(maxGroup, 10)}, 2, maxGroup + 9},
		{"a line larger than a group", []span{line(0, maxGroup+5), line(maxGroup+6, 10)}, 2, maxGroup + 15},
	} {
		r := &countingReader{ReaderAt: bytes.NewReader(content)}
		i := 0
		err := eachSpan(r, tt.spans, func(s span, text []byte) error {
			if s != tt.spans[i] || int64(len(text)) != s.n {
				t.Errorf("%s: line %d is %+v of %d bytes", tt.name, i, s, len(text))
			}
			i++
			return nil
		})
		if err != nil || i != len(tt.spans) || r.calls != tt.calls || r.bytes != tt.bytes {
			t.Errorf("%s: %d lines, %v, %d reads of %d bytes, want %d of %d", tt.name, i, err, r.calls, r.bytes, tt.calls, tt.bytes)
		}
	}
}

// Another program may cut a file while it is read.
func TestLinesOfAFileThatBecameShorter(t *testing.T) {
	var got []string
	err := eachSpan(strings.NewReader("one\ntwo\nth"), []span{{off: 0, n: 3}, {off: 4, n: 3}, {off: 8, n: 5}, {off: 14, n: 4}}, func(_ span, text []byte) error {
		got = append(got, string(text))
		return nil
	})
	if diff := cmp.Diff([]string{"one", "two", "th", ""}, got); diff != "" || err != nil {
		t.Errorf("%v, %s", err, diff)
	}
}

// Two keys may have one hash: the line decides.
func TestIdempotencyKeysWithOneHashAreToldApart(t *testing.T) {
	one, two := sameHash()
	f := newFixture(t)
	message := func(key string) string { return fmt.Sprintf(`{"message":{"role":"user","idempotencyKey":%q}}`, key) }
	f.write(t, "s.jsonl", testHeader, message(one), message("other"))
	if !f.HasIdempotency(f.ref("s"), one) || f.HasIdempotency(f.ref("s"), two) {
		t.Error("the hash decided")
	}
	f.write(t, "s.jsonl", testHeader, message(one), message("other"), message(two))
	if !f.HasIdempotency(f.ref("s"), one) || !f.HasIdempotency(f.ref("s"), two) {
		t.Error("one of two keys is not found")
	}
}
