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
	first, last := f.Titles(r)
	answers := len(want) / 2
	if len(want) > 0 && (first != want[0] || last != strings.TrimSpace(want[len(want)-1])) || len(want) == 0 && first+last != "" {
		t.Errorf("titles %q, %q", first, last)
	}
	if u, ok := f.Usage(r); ok != (answers > 0) || u.Input != int64(10*answers) || u.Cost != 0.5*float64(answers) {
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
	content, texts := cutContent()
	for cut := range len(content) + 1 {
		changes := map[string]func(*fixture, Ref) error{
			"repair": func(f *fixture, r Ref) error {
				_, err := f.Repair(r)
				return err
			},
			"ensure": func(f *fixture, r Ref) error { return f.Ensure(r, "/") },
			"compact": func(f *fixture, r Ref) error {
				_, err := f.Compact(r, 3)
				return err
			},
		}
		for name, change := range changes {
			f, want := cutAt(t, content, texts, cut)
			r := f.ref("s")
			if err := change(f, r); err != nil {
				t.Fatalf("cut at %d, %s: %v", cut, name, err)
			}
			if err := appendTexts("after")(f); err != nil {
				t.Fatalf("cut at %d, %s: append: %v", cut, name, err)
			}
			got := f.texts(t, r)
			f.reopen(nil)
			if fresh := f.texts(t, r); !slices.Equal(got, fresh) {
				t.Errorf("the library knows %q, the file says %q", got, fresh)
			}
			kept := len(got) - 1
			if got[kept] != "after" || kept > len(want) || !slices.Equal(got[:kept], want[len(want)-kept:]) || kept < len(want) && (name != "compact" || kept < 2) {
				t.Errorf("cut at %d, %s: texts are %q of %q", cut, name, got, want)
			}
			if head, _ := parse([]byte(firstWhole(f.read(t, f.path("s"))))); !head.header() {
				t.Errorf("cut at %d, %s: no header", cut, name)
			}
		}
	}
}
