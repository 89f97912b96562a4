package model

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEchoFollowsDirectives(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    []string
		took    time.Duration
	}{
		{" hello  you ", []string{"echo: ", "hello ", " ", "you"}, 0},
		{"x [[say a b]] y", []string{"a ", "b"}, 0},
		{"[[say ]]", []string{""}, 0},
		{"[[drip 3 100]]", []string{"w1 ", "w2 ", "w3 "}, 300 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var got []string
			var last Delta
			for d, err := range (Echo{}).Stream(t.Context(), say(tt.message)) {
				if err != nil {
					t.Fatal(err)
				}
				if d.Stop == "" {
					got = append(got, d.Text)
				}
				last = d
			}
			if !slices.Equal(got, tt.want) || time.Since(start) != tt.took {
				t.Errorf("%q: got %q after %v, want %q after %v", tt.message, got, time.Since(start), tt.want, tt.took)
			}
			want := Delta{Stop: Stop, Usage: &Usage{Input: 100, Output: int64(len(tt.want))}}
			if d := cmp.Diff(want, last); d != "" {
				t.Errorf("%q ends with (-want +got):\n%s", tt.message, d)
			}
		})
	}
}

func TestEchoFails(t *testing.T) {
	_, err := listen(t.Context(), Echo{}, say("[[fail 401]]"))
	if f, ok := errors.AsType[*Fault](err); !ok || f.Text != "401 scripted failure 401" || f.Status != 401 {
		t.Errorf("fail: %#v", err)
	}
	got, err := listen(t.Context(), Echo{}, say("[[cut]]"))
	if f, ok := errors.AsType[*Fault](err); !ok || got.Text != "cut short" || f.Shown != shownNetwork {
		t.Errorf("cut: said %q, error %#v", got.Text, err)
	}
}

func TestEchoEndsWithItsContext(t *testing.T) {
	for _, message := range []string{"[[hang]]", "[[drip 100000 100]]"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := listen(ctx, Echo{}, say(message))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 250*time.Millisecond {
				t.Errorf("%s: %v after %v", message, err, time.Since(start))
			}
		})
	}
}

func TestShownText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    shownUnknown,
		"429 anything":                        shownRateLimit,
		"403 You exceeded your current quota": shownRateLimit,
		"529 Overloaded":                      shownOverloaded,
		"400 This model's maximum context length is 8 tokens": shownOverflow,
		"504 Gateway Timeout":      shownTimeout,
		"401 scripted failure 401": "401 scripted failure 401",
		"401 Incorrect API key provided: sk-proj-abcdefghijklmnopqrstuvwx.": "401 Incorrect API key provided: sk-p***.",
		"bad header Authorization: Bearer abcdefghijklmnop":                 "bad header Authorization: Bearer ***",
	} {
		if got := shownText(text); got != want {
			t.Errorf("shownText(%q) = %q, want %q", text, got, want)
		}
	}
}
