package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// upkept runs f with a gateway whose sessions are under this maintenance. Its
// store holds sessions by the name of their keys, updated so long ago; each
// has a transcript of 1000 bytes. The name main is the main session's.
func upkept(t *testing.T, maintenance string, ages map[string]time.Duration, f func(t *testing.T, l *gatewaytest.Listener, dir string)) {
	t.Helper()
	state := t.TempDir()
	path := filepath.Join(state, "parley.json")
	writeFile(t, path, `{gateway: {auth: {mode: "token", token: "secret-token"}}, session: {maintenance: `+maintenance+`}}`)
	dir := filepath.Join(state, "agents/main/sessions")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var entries []string
		for name, age := range ages {
			entries = append(entries, fmt.Sprintf(`"agent:main:%s":{"sessionId":"s-%[1]s","updatedAt":%d}`, name, time.Now().Add(-age).UnixMilli()))
			header := `{"type":"session","version":3,"id":"s-` + name + `","timestamp":"2026-01-05T10:00:00.000Z","cwd":"/"}` + "\n"
			writeFile(t, filepath.Join(dir, "s-"+name+".jsonl"), header+strings.Repeat(" ", 999-len(header))+"\n")
		}
		slices.Sort(entries)
		writeFile(t, filepath.Join(dir, "sessions.json"), `{`+strings.Join(entries, ",")+`}`)
		l := gatewaytest.NewListener(t)
		stop := serve(t, l, path, state)
		defer stop()
		f(t, l, dir)
	})
}

// heard are the answers and the sessions.changed events that a client got
// after its first frames, in order: "res", or "reason key".
func heard(t *testing.T, c *gatewaytest.Client, skip int) []string {
	t.Helper()
	var out []string
	for _, f := range c.Frames()[skip:] {
		var e struct {
			Type    string `json:"type"`
			Event   string `json:"event"`
			Payload struct {
				SessionKey string `json:"sessionKey"`
				Reason     string `json:"reason"`
			} `json:"payload"`
		}
		if err := rawjson.Unmarshal(f, &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Type == "res":
			out = append(out, "res")
		case e.Event == "sessions.changed" && e.Payload.Reason != "":
			out = append(out, e.Payload.Reason+" "+strings.TrimPrefix(e.Payload.SessionKey, "agent:main:"))
		}
	}
	return out
}

// filesIn are the transcripts in dir, those of upkept by the name of their
// session, and their archives without the time.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		name, reason, ok := strings.Cut(e.Name(), ".jsonl")
		if name, known := strings.CutPrefix(name, "s-"); known {
			out = append(out, name+strings.TrimRight(reason, ".-0123456789TZ"))
		} else if ok {
			out = append(out, "new")
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

const day = 24 * time.Hour

// TestMaintenanceIsAnnounced: a client that shows a list of sessions must hear
// of those that the limits remove, and none may vanish in which something runs.
func TestMaintenanceIsAnnounced(t *testing.T) {
	ages := map[string]time.Duration{"main": 5 * time.Hour, "old": 3 * time.Hour, "a": 10 * time.Minute, "c": 5 * time.Minute, "busy": time.Minute}
	for _, tt := range []struct {
		name, maintenance string
		want              []string
		files             string
	}{
		{"prune", `{mode: "enforce", pruneAfter: "1h"}`, []string{"delete old", "delete a"}, "a.deleted busy busy.lock c main new"}, // the archive of old is too old by then, too
		{"cap", `{mode: "enforce", maxEntries: 3}`, []string{"delete old", "delete a", "delete c"}, "a.deleted busy busy.lock c.deleted main new old.deleted"},
		{"budget", `{mode: "enforce", maxDiskBytes: 5000, highWaterBytes: 4500}`, []string{"delete old", "delete a"}, "busy busy.lock c main new"},
		{"warn", `{maxEntries: 1, maxDiskBytes: 1, pruneAfter: "1s"}`, nil, "a busy busy.lock c main new old"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			upkept(t, tt.maintenance, ages, func(t *testing.T, l *gatewaytest.Listener, dir string) {
				a := gatewaytest.Connect(t, l, "")
				a.Call("sessions.subscribe", "")
				a.Call("chat.send", `{"sessionKey":"busy","message":"[[drip 10000 60000]]","idempotencyKey":"r"}`)
				<-time.After(2 * time.Hour) // now the session that runs is the one not updated for longest
				a.Call("sessions.patch", `{"key":"c","label":"L"}`)
				a.Call("sessions.create", `{"key":"new"}`)
				<-time.After(2 * time.Second) // the directory is looked at once a second
				synctest.Wait()
				got := slices.DeleteFunc(heard(t, a, 0), func(e string) bool { return !strings.HasPrefix(e, "delete ") })
				if !slices.Equal(got, tt.want) {
					t.Errorf("heard %v, want %v", got, tt.want)
				}
				if got := filesIn(t, dir); got != tt.files {
					t.Errorf("files %s, want %s", got, tt.files)
				}
			})
		})
	}
}

// TestCleanupAnswersFirst: the answer of sessions.cleanup comes before the
// events that it caused; what runs stays, and a dry run tells nobody.
func TestCleanupAnswersFirst(t *testing.T) {
	ages := map[string]time.Duration{"main": 50 * day, "old": 40 * day, "older": 41 * day, "young": time.Hour}
	upkept(t, `{}`, ages, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.subscribe", "")
		skip := len(a.Frames())
		if got := string(a.Call("sessions.cleanup", `{"dryRun":true}`)); !strings.Contains(got, `"beforeCount":4,"afterCount":2,"missing":0,"pruned":2,`) {
			t.Errorf("dry run: %s", got)
		}
		if got := string(a.Call("sessions.cleanup", `{}`)); !strings.Contains(got, `"wouldMutate":false,"applied":true,"appliedCount":4}`) {
			t.Errorf("mode warn: %s", got)
		}
		if got := string(a.Call("sessions.cleanup", `{"enforce":true,"activeKey":"older"}`)); !strings.Contains(got, `"mode":"enforce","dryRun":false,"beforeCount":4,"afterCount":3,`) {
			t.Errorf("enforced: %s", got)
		}
		synctest.Wait()
		if got, want := heard(t, a, skip), []string{"res", "res", "res", "delete old"}; !slices.Equal(got, want) {
			t.Errorf("heard %v, want %v", got, want)
		}
		if got, want := filesIn(t, dir), "main old.deleted older young"; got != want {
			t.Errorf("files %s, want %s", got, want)
		}
		if got := string(a.Refused("sessions.cleanup", `{"agent":"x","allAgents":true}`)); !strings.Contains(got, "agent and allAgents cannot be used together") {
			t.Errorf("refused with %s", got)
		}
		reader := gatewaytest.Connect(t, l, `{"scopes":["operator.write"]}`)
		if got := string(reader.Refused("sessions.cleanup", `{"dryRun":true}`)); !strings.Contains(got, "missing scope: operator.admin") {
			t.Errorf("without the scope: %s", got)
		}
	})
}
