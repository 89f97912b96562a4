package runs

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/rawjson"
)

func TestRunWritesThenTells(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.heard.each = func(line string) {
			// First persist, then announce.
			if strings.HasPrefix(line, "started") && len(b.messages(testKey)) != 1 {
				t.Error("started was told before the message was written")
			}
			if strings.HasPrefix(line, "finished") {
				if got := b.entry(testKey).Text("status"); got != "done" {
					t.Errorf("the end was told while the entry says %q", got)
				}
				if ticket, _ := b.Known(Chat, "r1"); ticket.State != Ended {
					t.Error("the end was told before the key knew it")
				}
			}
		}
		if ticket := b.send(testKey, "r1", "[[say hey you]]"); ticket.State != Started {
			t.Fatalf("ticket = %+v", ticket)
		}
		o := b.ended("r1")
		equal(t, "told", b.heard.take(), []string{
			`appended user 1  "[[say hey you]]"`,
			`started r1 #1`,
			`said r1 #2 "hey"+"hey" chat`,
			`said r1 #3 "hey you"+" you"`,
			`appended assistant 2 stop "hey you"`,
			`finished r1 #4 done "hey you" "" behind`,
		})
		if o.Text != "hey you" || o.Failed() || o.Aborted || o.Usage.Output != 2 {
			t.Errorf("outcome = %+v", o)
		}
	})
}

func TestEntryOfAFirstRun(t *testing.T) {
	for kind, want := range map[Kind]string{
		Chat: "sessionId updatedAt systemSent abortedLastRun chatType deliveryContext lastChannel origin sessionFile compactionCount " +
			"status startedAt endedAt runtimeMs modelProvider model contextTokens inputTokens outputTokens cacheRead cacheWrite " +
			"estimatedCostUsd totalTokens totalTokensFresh",
		Agent: "sessionId updatedAt sessionFile status startedAt abortedLastRun endedAt runtimeMs contextTokens modelProvider model " +
			"inputTokens outputTokens totalTokens totalTokensFresh cacheRead cacheWrite estimatedCostUsd",
	} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", priced)
				ticket, err := b.Start(Turn{Kind: kind, Key: testKey, RunID: "r", Message: "[[drip 5 100]]"})
				if err != nil {
					t.Fatal(err)
				}
				ticket.Begin()
				b.ended("r")
				e := b.entry(testKey)
				var names []string
				for name := range e.Fields().All() {
					names = append(names, name)
				}
				if got := strings.Join(names, " "); got != want {
					t.Errorf("fields:\n%s\nwant:\n%s", got, want)
				}
				started, _ := e.Number("startedAt")
				ended, _ := e.Number("endedAt")
				took, _ := e.Number("runtimeMs")
				if took != 500 || ended-started != took || e.UpdatedAt() != int64(ended) {
					t.Errorf("started %.0f, ended %.0f, took %.0f, updated %d", started, ended, took, e.UpdatedAt())
				}
				// 100 tokens in at $1, 5 out at $2 per million.
				if cost, _ := e.Number("estimatedCostUsd"); cost < 0.0001099 || cost > 0.0001101 {
					t.Errorf("cost = %v, want 0.00011", cost)
				}
			})
		})
	}
}

const priced = `{models:{providers:{fake:{baseUrl:"http://127.0.0.1:1/v1",apiKey:"k",api:"openai-completions",
	models:[{id:"m1",name:"M1",contextWindow:32000,maxTokens:10,cost:{input:1,output:2,cacheRead:0,cacheWrite:0}}]}}},
	agents:{defaults:{model:{primary:"fake/m1"}}}}`

func TestTranscriptTellsTheModelOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", priced)
		other := config.ModelRef{Provider: "fake", Model: "m2"}
		for i, m := range []config.ModelRef{{}, {}, other, other, {}} {
			ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: string(rune('a' + i)), Message: "[[say x]]", Model: m})
			if err != nil {
				t.Fatal(err)
			}
			ticket.Begin()
			b.ended(string(rune('a' + i)))
		}
		data, err := os.ReadFile(b.entry(testKey).Text("sessionFile"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(data)) {
			o, err := rawjson.Parse([]byte(line))
			if err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			message, _ := rawjson.Parse(o.Get("message"))
			snapshot, _ := rawjson.Parse(o.Get("data"))
			got = append(got, strings.Join(strings.Fields(o.Text("type")+" "+message.Text("role")+" "+message.Text("model")+" "+snapshot.Text("modelId")), " "))
		}
		equal(t, "lines", got, []string{
			"session", "model_change", "thinking_level_change", "custom m1",
			"message user", "message assistant m1", "message user", "message assistant m1",
			"custom m2", "message user", "message assistant m2", "message user", "message assistant m2",
			"custom m1", "message user", "message assistant m1",
		})
	})
}

func TestFailedRunIsRememberedAsFailed(t *testing.T) {
	for name, tt := range map[string]struct{ message, text, shown string }{
		"refused": {"[[fail 401]]", "401 scripted failure 401", "401 scripted failure 401"},
		"cut":     {"[[cut]]", "the connection was cut", "LLM request failed: network connection error."},
		"panic":   {"[[panic]]", "internal error: the model lost its mind", "internal error: the model lost its mind"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, "", "")
				b.send(testKey, "r1", tt.message)
				o := b.ended("r1")
				if o.Error != tt.shown {
					t.Errorf("outcome says %q, want %q", o.Error, tt.shown)
				}
				if ticket := b.send(testKey, "r1", "again"); ticket.State != Ended || ticket.Outcome.Error != tt.shown {
					t.Errorf("repeat = %+v", ticket)
				}
				e := b.entry(testKey)
				if fresh, known := e.Bool("totalTokensFresh"); e.Text("status") != "failed" || !known || fresh {
					t.Errorf("entry = %s", e.Raw())
				}
				told := b.heard.take()
				if last := told[len(told)-1]; !strings.HasPrefix(last, "finished r1") || !strings.Contains(last, tt.shown) {
					t.Errorf("last told: %s", last)
				}
				b.send(testKey, "r2", "[[say fine]]")
				if o := b.ended("r2"); o.Text != "fine" {
					t.Errorf("the next run came to %+v", o)
				}
				want := "assistant error"
				if name == "cut" {
					want += " cut short"
				}
				equal(t, "messages", b.messages(testKey), []string{"user  " + tt.message, want, "user  [[say fine]]", "assistant stop fine"})
			})
		})
	}
}

func TestUnknownModelFailsTheRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r", Message: "x", Model: config.ModelRef{Provider: "missing", Model: "m"}})
		if err != nil {
			t.Fatal(err)
		}
		ticket.Begin()
		if o := b.ended("r"); o.Error != "Unknown model: missing/m" {
			t.Errorf("outcome = %+v", o)
		}
		equal(t, "messages", b.messages(testKey), []string{"user  x", "assistant error"})
	})
}

func TestRunOutOfTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		ticket, err := b.Start(Turn{Kind: Chat, Key: testKey, RunID: "r", Message: "[[drip 100 100]]", Timeout: 250 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ticket.Begin()
		o := b.ended("r")
		if took := time.Since(start); took != 250*time.Millisecond {
			t.Errorf("ended after %v", took)
		}
		if !o.Aborted || o.Failed() || b.entry(testKey).Text("status") != "timeout" {
			t.Errorf("outcome %+v, entry %s", o, b.entry(testKey).Raw())
		}
		equal(t, "told", b.heard.take()[2:], []string{
			`said r #2 "w1"+"w1" chat`, `said r #3 "w1 w2"+" w2"`, `said r #4 "w1 w2 w3"+" w3" chat`,
			`aborted r #5 timeout "w1 w2 w3"`,
			`appended assistant 2 stop "w1 w2 w3"`,
			`finished r #5 timeout "" ""`,
		})
	})
}

func TestNoLimitMeansNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", `{agents:{defaults:{timeoutSeconds:1}}}`)
		for run, limit := range map[string]time.Duration{"configured": 0, "none": NoLimit} {
			ticket, err := b.Start(Turn{Kind: Chat, Key: "agent:main:" + run, RunID: run, Message: "[[drip 30 100]]", Timeout: limit})
			if err != nil {
				t.Fatal(err)
			}
			ticket.Begin()
		}
		if o := b.ended("configured"); !o.Aborted {
			t.Errorf("configured limit: %+v", o)
		}
		if o := b.ended("none"); o.Aborted || o.Failed() {
			t.Errorf("no limit: %+v", o)
		}
	})
}

func TestSilentAnswers(t *testing.T) {
	for message, want := range map[string][]string{
		"[[say NO_REPLY]]":            {`finished r #2 done "" ""`},
		"[[pieces NO|_REP|LY|  ]]":    {`said r #2 "NO"+"NO"`, `said r #3 "NO_REP"+"_REP"`, `finished r #4 done "" ""`},
		"[[say ]]":                    {`finished r #2 done "" ""`},
		"[[say NO news]]":             {`said r #2 "NO"+"NO"`, `said r #3 "NO news"+" news" chat`, `finished r #4 done "NO news" ""`},
		"[[pieces NO]]":               {`said r #2 "NO"+"NO"`, `finished r #3 done "NO" ""`},
		"[[say No_Reply]]":            {`said r #2 "No_Reply"+"No_Reply" chat`, `finished r #3 done "No_Reply" ""`},
		"[[pieces NO_REPLY| though]]": {`said r #2 "NO_REPLY though"+"NO_REPLY though" chat`, `finished r #3 done "NO_REPLY though" ""`},
	} {
		bubble(t, func(t *testing.T) {
			b := newBench(t, "", "")
			b.send(testKey, "r", message)
			b.ended("r")
			var got []string
			for _, l := range b.heard.take() {
				if strings.HasPrefix(l, "said") || strings.HasPrefix(l, "finished") {
					got = append(got, l)
				}
			}
			equal(t, message, got, want)
		})
	}
}

func TestStaleSessionBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", `{session:{reset:{mode:"idle",idleMinutes:30}}}`)
		b.send(testKey, "r1", "[[say one]]")
		b.ended("r1")
		first := b.entry(testKey)
		time.Sleep(20 * time.Minute)
		b.send(testKey, "r2", "[[say two]]")
		b.ended("r2")
		if second := b.entry(testKey); second.SessionID() != first.SessionID() {
			t.Error("a session used in time began anew")
		}
		time.Sleep(31 * time.Minute)
		b.send(testKey, "r3", "[[say three]]")
		b.ended("r3")
		third := b.entry(testKey)
		if third.SessionID() == first.SessionID() || third.Text("sessionFile") == first.Text("sessionFile") {
			t.Errorf("a stale session went on: %s", third.Raw())
		}
		equal(t, "messages", b.messages(testKey), []string{"user  [[say three]]", "assistant stop three"})
		if _, err := os.Stat(first.Text("sessionFile")); !os.IsNotExist(err) {
			t.Errorf("the old transcript is still in place: %v", err)
		}
	})
}

func TestFreshKeepsSettings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, "", "")
		b.send(testKey, "r1", "[[say one]]")
		b.ended("r1")
		st, _ := b.stores.Store(testKey)
		r := newRun(b.Engine, Turn{Key: testKey}, st)
		defer r.cancel(nil)
		if err := r.update(func(o *rawjson.Object) { o.Put("label", "L"); o.Put("fastMode", true); o.Put("sendPolicy", "allow") }); err != nil {
			t.Fatal(err)
		}
		before := b.entry(testKey)
		if err := b.BeginAnew(t.Context(), Chat, testKey); err != nil {
			t.Fatal(err)
		}
		after := b.entry(testKey)
		if after.SessionID() == before.SessionID() || after.Text("label") != "L" || after.Text("sendPolicy") != "" {
			t.Errorf("entry = %s", after.Raw())
		}
		if fast, _ := after.Bool("fastMode"); !fast {
			t.Errorf("fastMode is gone: %s", after.Raw())
		}
		equal(t, "messages", b.messages(testKey), nil)
	})
}

// A picture that could not be stored is named nowhere.
func TestUserLineNamesStoredPictures(t *testing.T) {
	tests := map[string]struct {
		media []Media
		want  string
	}{
		"one of two": {
			[]Media{{MIME: "image/png"}, {MIME: "image/gif", Path: "/m/a.gif"}},
			`{"role":"user","content":[{"type":"text","text":"x"}],"timestamp":5,"MediaPath":"/m/a.gif","MediaPaths":["/m/a.gif"],"MediaType":"image/gif","MediaTypes":["image/gif"]}`,
		},
		"none": {
			[]Media{{MIME: "image/png"}},
			`{"role":"user","content":[{"type":"text","text":"x"}],"timestamp":5}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			line := Turn{Message: "x", Media: tt.media}.userLine("id", time.UnixMilli(5))
			if got := string(line.Fields.Get("message")); got != tt.want {
				t.Errorf("line = %s, want %s", got, tt.want)
			}
		})
	}
}
