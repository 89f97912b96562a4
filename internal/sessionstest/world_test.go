package sessionstest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/parleyd/parley/internal/gatewaytest"
)

// world is a gateway with its clients, and the model that it is held against.
type world struct {
	*rapid.T
	tb   testing.TB // the bubble's, whose failures are the sequence's
	dir  string
	m    *model
	stop func()
	said []string                 // keys that clients say in this sequence
	keys *rapid.Generator[string] // one of them

	admin, reader, webchat *gatewaytest.Client
	watcher                *gatewaytest.Client // has sessions.subscribe, if watching
	watching               bool
	heard                  int               // frames of the watcher that were looked at
	names                  map[string]string // of the ids in texts
}

// bubbled lets f play in fake time. rapid knows nothing of bubbles: what f
// panics with is passed to it outside of the bubble, when that has ended.
func bubbled(t *testing.T, rt *rapid.T, f func(tb testing.TB)) {
	var failure any
	synctest.Test(t, func(t *testing.T) {
		defer func() { failure = recover() }()
		f(failing{t, rt})
	})
	// rapid takes two panics with one stack for the same fault, so the ones that
	// only say that it has no more data must come from a place of their own.
	switch fmt.Sprintf("%T", failure) {
	case "<nil>":
	case "rapid.invalidData":
		panic(failure)
	default:
		panic(failure)
	}
}

// failing is the T of a bubble that leaves it to rapid to fail.
type failing struct {
	testing.TB
	rt *rapid.T
}

func (f failing) Helper()                           {}
func (f failing) Fatal(args ...any)                 { f.rt.Fatal(args...) }
func (f failing) Fatalf(format string, args ...any) { f.rt.Fatalf(format, args...) }
func (f failing) Error(args ...any)                 { f.rt.Error(args...) }
func (f failing) Errorf(format string, args ...any) { f.rt.Errorf(format, args...) }

// newWorld makes an empty state directory of dir, and starts.
func newWorld(rt *rapid.T, tb testing.TB, dir string, c conf) *world {
	w := &world{T: rt, tb: tb, dir: dir, m: newModel(c), names: map[string]string{}}
	w.said = rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 4, 8, rapid.ID).Draw(rt, "keys")
	w.keys = rapid.SampledFrom(w.said)
	if err := os.RemoveAll(dir); err != nil {
		w.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(w.configPath(), []byte(c.text(dir)), 0o600); err != nil {
		w.Fatal(err)
	}
	w.start()
	return w
}

func (w *world) configPath() string { return filepath.Join(w.dir, "parley.json") }

func (w *world) start() {
	var l *gatewaytest.Listener
	l, w.stop = start(w.tb, w.dir, w.configPath(), nil)
	w.admin = gatewaytest.Connect(w.tb, l, `{"device":false}`)
	w.reader = gatewaytest.Connect(w.tb, l, `{"device":false,"scopes":["operator.read"]}`)
	w.webchat = gatewaytest.Connect(w.tb, l, `{"headers":{"origin":"http://127.0.0.1:18789"},"client":{"id":"webchat-ui","version":"1","platform":"web","mode":"webchat"}}`)
	w.watcher = gatewaytest.Connect(w.tb, l, `{"device":false,"scopes":["operator.read"]}`)
	w.heard, w.watching = 0, false
	w.watch(true)
}

func (w *world) watch(on bool) {
	method := map[bool]string{true: "sessions.subscribe", false: "sessions.unsubscribe"}[on]
	w.watcher.Call(method, "")
	w.watching = on
	w.expectEvents()
}

// call calls a method; the answer is nil when it was refused.
func (w *world) call(c *gatewaytest.Client, method string, p params) (answer map[string]any, fault string) {
	text, err := json.Marshal(p)
	if err != nil {
		w.Fatal(err)
	}
	payload, refusal := c.Try(method, string(text))
	if refusal == nil {
		if err := json.Unmarshal(payload, &answer); err != nil {
			w.Fatal(err)
		}
		w.Logf("%s %s", method, w.mask(string(text)))
		return answer, ""
	}
	var e struct{ Code, Message string }
	if err := json.Unmarshal(refusal, &e); err != nil {
		w.Fatal(err)
	}
	w.Logf("%s %s → %s", method, w.mask(string(text)), w.mask(e.Message))
	if e.Code != "INVALID_REQUEST" {
		w.Fatalf("%s: refused with the code %s: %s", method, e.Code, w.mask(e.Message))
	}
	return nil, e.Message
}

// refusedAs compares refusals; it reports whether the call was refused.
func (w *world) refusedAs(method, got, want string) bool {
	if got != want {
		w.Fatalf("%s was answered with the error %q, the model says %q", method, w.mask(got), w.mask(want))
	}
	if got != "" {
		w.expectEvents()
	}
	return got != ""
}

// same compares what came with what the model says.
func (w *world) same(what string, got, want any) {
	text, err := json.Marshal(want) // so that numbers and lists have one type
	if err != nil {
		w.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		w.Fatal(err)
	}
	if diff := cmp.Diff(plain, got); diff != "" {
		// cmp uses no-break spaces at random, rapid wants one text for one fault.
		w.Fatalf("%s (-model +gateway):\n%s", what, w.mask(strings.ReplaceAll(diff, "\u00a0", " ")))
	}
}

// expectEvents makes sure that exactly these sessions.changed came since it
// was called last.
func (w *world) expectEvents(want ...map[string]any) {
	synctest.Wait()
	got := []any{}
	frames := w.watcher.Frames()
	for _, f := range frames[w.heard:] {
		var e struct {
			Event   string
			Payload map[string]any
		}
		if err := json.Unmarshal(f, &e); err != nil {
			w.Fatal(err)
		}
		if e.Event != "sessions.changed" {
			continue
		}
		if ts, ok := e.Payload["ts"].(float64); !ok || ts < w.m.now {
			w.Fatalf("an event of the time %v, at %v", e.Payload["ts"], w.m.now)
		}
		delete(e.Payload, "ts")
		got = append(got, e.Payload)
	}
	w.heard = len(frames)
	if !w.watching {
		want = nil
	}
	w.same("events", got, append([]map[string]any{}, want...))
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{8} \(`)

// mask gives ids names that are the same when the sequence is played again.
func (w *world) mask(text string) string {
	return uuids.ReplaceAllStringFunc(text, func(id string) string {
		if w.names[id] == "" {
			w.names[id] = fmt.Sprintf("<id %d>", len(w.names)+1)
		}
		return w.names[id]
	})
}
