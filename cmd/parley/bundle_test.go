package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

// carriedSession is a session of a bundle in a test.
type carriedSession struct {
	Key, Entry string
	Text       *string
}

func bundleOf(t *testing.T, compress bool, sessions ...carriedSession) []byte {
	t.Helper()
	var out bytes.Buffer
	b, err := newBundleWriter(&out, compress, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), len(sessions))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		in := bundled{Key: s.Key, AgentID: "main", Entry: rawjson.Value(s.Entry)}
		var text io.Reader
		if s.Text != nil {
			n := int64(len(*s.Text))
			in.Bytes, text = &n, strings.NewReader(*s.Text)
		}
		if err := b.add(in, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readAll(data []byte) (got []carriedSession, err error) {
	err = readBundle(bytes.NewReader(data), func(_ bundleHead, b bundled, transcript io.Reader) error {
		s := carriedSession{Key: b.Key, Entry: string(b.Entry)}
		if transcript != nil {
			text, err := io.ReadAll(transcript)
			if err != nil {
				return err
			}
			s.Text = new(string(text))
		}
		got = append(got, s)
		return nil
	})
	return got, err
}

func TestBundleIsLossless(t *testing.T) {
	want := []carriedSession{
		{"agent:main:a", `{"n":1.50,"x":[1e2,"\u00e9"]}`, new("{\"a\":1}\r\nno JSON \xff\x00\n{torn")},
		{"agent:main:none", `{}`, nil},
		{"agent:main:empty", `{"sessionId":"e"}`, new("")},
		{"agent:main:large", `{"sessionId":"l"}`, new(strings.Repeat("line\n", 300_000))},
	}
	for _, compress := range []bool{false, true} {
		got, err := readAll(bundleOf(t, compress, want...))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("compressed %v: %v\n%s", compress, err, d)
		}
	}
	if got, err := readAll(bundleOf(t, true)); got != nil || err != nil {
		t.Errorf("no sessions: %v, %v", got, err)
	}
}

func TestBundleThatIsNone(t *testing.T) {
	whole := bundleOf(t, false, carriedSession{"a", `{}`, new("text\n")}, carriedSession{"b", `{}`, nil})
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "another tar": append(bytes.Replace(whole[:512:512], []byte("parley-sessions.json"), []byte("somebody-elses-s.txt"), 1), whole[512:]...),
	} {
		if _, err := readAll(data); !errors.Is(err, errNoBundle) {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":9`), 1)
	if _, err := readAll(later); err == nil || !strings.Contains(err.Error(), "a later version of parley") {
		t.Errorf("a later version: %v", err)
	}
	// Cut anywhere, it is never taken for a whole one.
	for n := 0; n < len(whole); n += 97 {
		if got, err := readAll(whole[:n]); err == nil && len(got) != 2 {
			t.Errorf("cut at %d of %d it counts as whole, with %d sessions", n, len(whole), len(got))
		}
	}
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte("hello"))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = readAll(data) // it must end, and not panic
	})
}
