package transcript

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

// An answer is given again only as long as the file is the same, and the question.
func TestAnswer(t *testing.T) {
	f := newFixture(t)
	r := f.ref("a")
	path := f.write(t, "a.jsonl", `{"id":"1","message":{"role":"user","content":"one"}}`)
	made := 0
	ask := func(q Question) string {
		t.Helper()
		v, err := f.Answer(r, q, func() (rawjson.Value, error) {
			made++
			return rawjson.MustMarshal(f.texts(t, r)), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	expect := func(doing, want string, times int) {
		t.Helper()
		made = 0
		got := ask(Question{Kind: "x", Last: 5})
		if ask(Question{Kind: "x", Last: 5}) != got || got != want || made != times {
			t.Errorf("%s: %s, made %d times, want %s, %d times", doing, got, made, want, times)
		}
	}
	expect("at first", `["one"]`, 1)
	expect("again", `["one"]`, 0)
	made = 0
	if ask(Question{Kind: "x", Last: 6}); made != 1 {
		t.Error("another question was not asked")
	}
	if _, err := f.Append(r, "/", messageLine("user", "two")); err != nil {
		t.Fatal(err)
	}
	expect("after an append", `["one","two"]`, 1)
	f.write(t, "b", `{"id":"1","message":{"role":"user","content":"other"}}`)
	if err := os.Rename(f.dir+"/b", path); err != nil {
		t.Fatal(err)
	}
	expect("after another file took its place", `["other"]`, 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("without a file", `[]`, 2)
}

func TestAnswerKeepsNoFailure(t *testing.T) {
	f := newFixture(t)
	f.write(t, "a.jsonl", `{"id":"1"}`)
	fails := errors.New("no")
	for range 2 {
		if _, err := f.Answer(f.ref("a"), Question{Kind: "x"}, func() (rawjson.Value, error) { return nil, fails }); !errors.Is(err, fails) {
			t.Errorf("error %v", err)
		}
	}
	v, err := f.Answer(f.ref("a"), Question{Kind: "x"}, func() (rawjson.Value, error) { return rawjson.Value("1"), nil })
	if err != nil || string(v) != "1" {
		t.Errorf("%s, %v", v, err)
	}
}

// What is remembered is bounded, and long answers are not remembered at all.
func TestAnswersAreBounded(t *testing.T) {
	f := newFixture(t)
	f.write(t, "a.jsonl", `{"id":"1"}`)
	long := rawjson.Value(`"` + strings.Repeat("x", maxAnswer-2) + `"`)
	for i := range 2 * maxAnswers / maxAnswer {
		if _, err := f.Answer(f.ref("a"), Question{Kind: fmt.Sprint(i)}, func() (rawjson.Value, error) { return long, nil }); err != nil {
			t.Fatal(err)
		}
	}
	sum := 0
	for el := f.answers.order.Front(); el != nil; el = el.Next() {
		sum += el.Value.(*given).weight()
	}
	if f.answers.bytes > maxAnswers || f.answers.bytes != sum || len(f.answers.known) != f.answers.order.Len() || f.answers.order.Len() < 2 {
		t.Errorf("%d bytes by count, %d by looking, %d and %d answers", f.answers.bytes, sum, len(f.answers.known), f.answers.order.Len())
	}
	before := f.answers.order.Len()
	if _, err := f.Answer(f.ref("a"), Question{Kind: "longer"}, func() (rawjson.Value, error) { return append(long, ' '), nil }); err != nil {
		t.Fatal(err)
	}
	if f.answers.order.Len() != before {
		t.Error("an answer that is too long was remembered")
	}
}
