package transcript

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutContent is a conversation of two questions and answers.
func cutContent() (content string, texts []string) {
	var b strings.Builder
	b.WriteString(testHeader + "\n")
	parent := "null"
	for i, text := range []string{"one", "zwei é", "trois \u2028", "пять"} {
		role, extra := "user", fmt.Sprintf(`"idempotencyKey":"k%d"`, i)
		if i%2 == 1 {
			role, extra = "assistant", `"model":"m","usage":{"input":10,"output":1,"cost":{"total":0.5}}`
		}
		fmt.Fprintf(&b, `{"type":"message","id":"0000000%d","parentId":%s,"message":{"role":%q,"content":"%s",%s}}`+"\n",
			i, parent, role, text, extra)
		parent = fmt.Sprintf(`"0000000%d"`, i)
		texts = append(texts, text)
	}
	return b.String(), texts
}

// cutAt is a library over the content cut at a byte, and the texts whose lines
// are whole. A line is whole without its newline, too.
func cutAt(t *testing.T, content string, texts []string, cut int) (*fixture, []string) {
	t.Helper()
	f := newFixture(t)
	if err := os.WriteFile(f.path("s"), []byte(content[:cut]), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := strings.Count(content[:cut], "\n")
	if strings.HasPrefix(content[cut:], "\n") {
		whole++
	}
	return f, texts[:max(0, whole-1)]
}

// A crash in the middle of a write leaves a transcript cut anywhere. Every
// reader must tell what the whole lines say.
func TestReadAfterCut(t *testing.T) {
	content, texts := cutContent()
	for cut := range len(content) + 1 {
		f, want := cutAt(t, content, texts, cut)
		r := f.ref("s")
		// A second library sees what the first one's cache might hide.
		for range 2 {
			checkReaders(t, f, r, want)
			f.reopen(nil)
		}
		if t.Failed() {
			t.Fatalf("cut at %d", cut)
		}
	}
}

// checkReaders asks all readers for a conversation of these texts.
func checkReaders(t *testing.T, f *fixture, r Ref, want []string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), f.texts(t, r)); diff != "" {
		t.Errorf("messages: %s", diff)
	}
	if n, err := f.Count(r); n != len(want) || err != nil {
		t.Errorf("Count = %d, %v", n, err)
	}
	list, err := f.Messages(r, 0)
	if got := History(list); len(got) != len(want) || err != nil {
		t.Errorf("a history of %d messages, %v", len(got), err)
	}
	page, err := f.Before(r, 3, 1)
	if err != nil || len(want) > 1 && (len(page) != 1 || page[0].Seq != 2) {
		t.Errorf("message 2 is %v, %v", page, err)
	}
	_, preview, err := f.Preview(r, 50, 240)
	if len(preview) != len(want) || err != nil {
		t.Errorf("preview %v, %v", preview, err)
	}
	first, last := f.Look(r).Titles()
	answers := len(want) / 2
	if len(want) > 0 && (first != want[0] || last != strings.TrimSpace(want[len(want)-1])) || len(want) == 0 && first+last != "" {
		t.Errorf("titles %q, %q", first, last)
	}
	if u, ok := f.Look(r).Usage(); ok != (answers > 0) || u.Input != float64(10*answers) || u.Cost != 0.5*float64(answers) {
		t.Errorf("usage %+v, %v", u, ok)
	}
	for i := range 6 {
		if got := f.HasIdempotency(r, fmt.Sprint("k", i)); got != (i%2 == 0 && i < len(want)) {
			t.Errorf("key %d is known: %v", i, got)
		}
	}
	if context, err := f.Context(r); len(context) != len(want) || err != nil {
		t.Errorf("context of %d messages, %v", len(context), err)
	}
}

// Whatever changes a cut transcript, the whole lines stay.
func TestChangeAfterCut(t *testing.T) {
	content := joinLines(`{"type":"session","version":3,"id":"s"}`, `{"id":"a","message":{"role":"user","content":"1"}}`,
		`{"id":"b","parentId":"a","message":{"role":"user","content":"2"}}`, `{"id":"c","parentId":"b","message":{"role":"user","content":"3"}}`)
	texts := []string{"1", "2", "3"}
	for name, change := range map[string]func(*fixture, Ref) error{
		"repair": func(f *fixture, r Ref) error {
			_, err := f.Repair(r)
			return err
		},
		"ensure": func(f *fixture, r Ref) error { return f.Ensure(r, "/") },
		"compact": func(f *fixture, r Ref) error {
			_, err := f.Compact(r, 2)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time goes into waiting for the disk
			for cut := range len(content) + 1 {
				f, want := cutAt(t, content, texts, cut)
				if err := change(f, f.ref("s")); err != nil {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				checkChanged(t, f, want, name == "compact", cut)
			}
		})
	}
}

func checkChanged(t *testing.T, f *fixture, want []string, compacted bool, cut int) {
	t.Helper()
	r := f.ref("s")
	if err := appendTexts("after")(f); err != nil {
		t.Fatalf("cut at %d: append: %v", cut, err)
	}
	got := f.texts(t, r)
	f.reopen(nil)
	if fresh := f.texts(t, r); !slices.Equal(got, fresh) {
		t.Errorf("cut at %d: the library knows %q, the file says %q", cut, got, fresh)
	}
	kept := len(got) - 1
	if got[kept] != "after" || kept > len(want) || !slices.Equal(got[:kept], want[len(want)-kept:]) || kept < len(want) && (!compacted || kept < 1) {
		t.Errorf("cut at %d: texts are %q of %q", cut, got, want)
	}
	if head, _ := parse([]byte(firstWhole(f.read(t, f.path("s"))))); !head.header() {
		t.Errorf("cut at %d: no header", cut)
	}
}
