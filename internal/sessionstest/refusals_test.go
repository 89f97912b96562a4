package sessionstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// place is a gateway, what lies there, and the client that calls.
type place struct {
	config string // behind the members that all have
	client string // options of the connection
	files  map[string]string
	disk   func(p *scene) disk.Hook // sees what is written
	// arrange is done before the first call, before before each.
	arrange, before func(p *scene)
}

// scene is a place in use.
type scene struct {
	testing.TB
	*gatewaytest.Client
	dir     string
	stuck   chan struct{} // closed when writing goes on
	begun   bool          // the disk begins to fail
	replace []string      // placeholders of expected texts and what they mean here
}

const mainStore = "agents/main/sessions/sessions.json"

// house is the place of most calls.
var house = place{
	config: `agents: {defaults: {model: "anthropic/base"}, list: [{id: "main"}, {id: "ops"}, {id: "zed", model: "zai/glm"}]}`,
	files: map[string]string{
		mainStore: `{
			"agent:main:main": {"sessionId": "id-main", "updatedAt": 9},
			"agent:main:a": {"sessionId": "id-a", "updatedAt": 8},
			"agent:main:b": {"sessionId": "id-b", "updatedAt": 7, "label": "taken"},
			"agent:main:twin1": {"sessionId": "twin", "updatedAt": 6, "label": "twin"},
			"agent:main:twin2": {"sessionId": "twin", "updatedAt": 5, "label": "twin"},
			"agent:main:on-zai": {"sessionId": "id-z", "updatedAt": 4, "providerOverride": "zai", "modelOverride": "glm"},
			"agent:main:no-id": {"updatedAt": 4},
			"agent:main:evil": {"sessionId": "../../evil", "updatedAt": 4},
			"agent:main:cron:j:run:1": {"sessionId": "id-run", "updatedAt": 4},
			"global": {"sessionId": "id-global", "updatedAt": 4},
			"agent:main:subagent:s": {"sessionId": "id-s", "updatedAt": 4, "spawnedBy": "agent:main:a", "spawnedWorkspaceDir": "/w",
				"spawnDepth": 0, "subagentRole": "leaf", "subagentControlScope": "none"}
		}`,
		"agents/ops/sessions/sessions.json": `{"agent:ops:twin3": {"sessionId": "twin", "updatedAt": 4, "label": "twin"}}`,
	},
}

// as is the house with another client.
func as(client string) place {
	p := house
	p.client = client
	return p
}

const browser = `{"headers":{"origin":"http://127.0.0.1:18789"},"client":{"id":"%s","version":"1","platform":"web","mode":"%s"}}`

// places are where the calls of the table are made; "" is for operators.
var places = map[string]place{
	"":           house,
	"nobody":     as(`{"scopes":["operator.pairing"]}`),
	"reader":     as(`{"scopes":["operator.read"]}`),
	"writer":     as(`{"scopes":["operator.write"]}`),
	"webchat":    as(fmt.Sprintf(browser, "cli", "webchat")),
	"webchat ui": as(fmt.Sprintf(browser, "webchat-ui", "ui")),
	"limited": {config: `agents: {
		defaults: {model: {primary: "anthropic/base", fallbacks: ["groq/spare"]}, models: {"openai/gpt-5.4": {}}, subagents: {model: "tiny/sub"}},
		list: [{id: "home", default: true}, {id: "zed", model: "zai/glm"}]}`},
	"global": {config: `session: {scope: "global"}`},
	"full disk": {
		files: map[string]string{mainStore: `{"agent:main:kept": {"sessionId": "id-kept"}}`},
		disk: func(p *scene) disk.Hook {
			p.replace = []string{"<reason>", "open " + filepath.Join(p.dir, filepath.Dir(mainStore), "id-kept.jsonl") + ": no room"}
			return func(op disk.Op) (int, error) {
				if strings.HasSuffix(op.Path, ".jsonl") {
					return 0, errors.New("no room")
				}
				return 0, nil
			}
		},
	},
	"busy": {
		disk: func(p *scene) disk.Hook {
			return func(op disk.Op) (int, error) {
				if p.begun && op.Kind == disk.Write && strings.HasSuffix(op.Path, ".jsonl") {
					<-p.stuck
				}
				return 0, nil
			}
		},
		arrange: func(p *scene) {
			p.Call("sessions.create", `{"key":"busy"}`)
			p.begun = true
			p.Call("sessions.send", `{"key":"busy","message":"m"}`)
			synctest.Wait() // the run writes the message, and cannot
		},
	},
	"locked":           {files: oldSpelling, before: func(p *scene) { lock(p, os.Getppid()) }},
	"locked by nobody": {files: oldSpelling, before: func(p *scene) { lock(p, 0) }},
}

var oldSpelling = map[string]string{mainStore: `{"Old": {"sessionId": "id-old", "updatedAt": 1}}`}

// lock takes the lock of the main agent's store for another process.
func lock(p *scene, pid int) {
	path := filepath.Join(p.dir, mainStore+".lock")
	text := fmt.Sprintf(`{"pid": %d, "createdAt": %q}`, pid, time.Now().UTC().Format(time.RFC3339))
	if pid == 0 {
		text = ""
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	p.replace = []string{"<pid>", fmt.Sprint(pid), "<lock path>", path}
}

// TestRefusals provokes every text. A refused call changes nothing, and nobody
// is told of it.
func TestRefusals(t *testing.T) {
	for name, p := range places {
		t.Run("as "+name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range p.files {
				write(t, filepath.Join(dir, file), text)
			}
			auth := `{gateway: {auth: {mode: "token", token: "secret-token"}}, `
			write(t, filepath.Join(dir, "parley.json"), auth+p.config+`}`)
			synctest.Test(t, func(t *testing.T) {
				s := &scene{TB: t, dir: dir, stuck: make(chan struct{})}
				var files *disk.FS
				if p.disk != nil {
					files = disk.New(p.disk(s))
				}
				l, stop := start(t, dir, filepath.Join(dir, "parley.json"), files)
				defer stop()
				defer close(s.stuck)
				s.Client = gatewaytest.Connect(t, l, p.client)
				if p.arrange != nil {
					p.arrange(s)
				}
				s.begun = true
				watcher := gatewaytest.Connect(t, l, "")
				watcher.Call("sessions.subscribe", "")
				before := rows(watcher)
				s.provokeAll(name, p.before)
				synctest.Wait()
				watcher.NoEvent("sessions.changed")
				if diff := cmp.Diff(before, rows(watcher)); diff != "" {
					t.Errorf("refused calls changed something (-before +after):\n%s", diff)
				}
			})
		})
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// rows is the list of all sessions.
func rows(c *gatewaytest.Client) string {
	list, _ := rawjson.Parse(c.Call("sessions.list", `{"includeGlobal":true,"includeUnknown":true}`))
	return string(list.Get("sessions"))
}

// provokeAll makes all calls of a place.
func (s *scene) provokeAll(place string, before func(*scene)) {
	for _, r := range refusals {
		for _, a := range r.calls {
			if a.place != place {
				continue
			}
			if before != nil {
				before(s)
			}
			s.provoke(r, a)
		}
	}
}

var placeholder = regexp.MustCompile(`<[^>]+>`)

// provoke makes a call and compares what it is refused with.
func (s *scene) provoke(r refusal, a attempt) {
	want := r.text
	for _, v := range a.fill {
		at := placeholder.FindStringIndex(want)
		want = want[:at[0]] + "\x00" + v + want[at[1]:] // the mark keeps v from being filled again
		want = strings.Replace(want, "\x00<", "\x00{", 1)
	}
	want = strings.NewReplacer("\x00{", "<", "\x00", "").Replace(want)
	want = strings.NewReplacer(s.replace...).Replace(want)
	params := strings.ReplaceAll(a.params, "<513>", strings.Repeat("x", 513))
	payload, fault := s.Try(a.method, params)
	if fault == nil {
		s.Errorf("%s %s was answered %s, want %s", a.method, a.params, payload, want)
		return
	}
	var got struct{ Code, Message string }
	if err := json.Unmarshal(fault, &got); err != nil {
		s.Fatal(err)
	}
	if got.Code != r.code || got.Message != want {
		s.Errorf("%s %s\n got %s: %s\nwant %s: %s", a.method, a.params, got.Code, got.Message, r.code, want)
	}
}

// TestRefusalTable makes sure that the table is whole: no text without a call
// that provokes it or with another number of holes than its calls fill,
// nothing twice, all in the order of the sections, no place that nobody needs.
func TestRefusalTable(t *testing.T) {
	texts, calls, used := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range refusals {
		text := r.section + ": " + r.text
		if len(r.calls) == 0 {
			t.Errorf("%s: nothing provokes it", text)
		}
		if texts[text] {
			t.Errorf("%s: stands in the table twice", text)
		}
		texts[text] = true
		for _, a := range r.calls {
			call := fmt.Sprintf("%s at %q with %s", a.method, a.place, a.params)
			if calls[call] {
				t.Errorf("%s: stands in the table twice", call)
			}
			calls[call], used[a.place] = true, true
			if _, ok := places[a.place]; !ok {
				t.Errorf("%s: no such place", call)
			}
			if holes := len(placeholder.FindAllString(r.text, -1)); holes != len(a.fill) {
				t.Errorf("%s: fills %d of %d", call, len(a.fill), holes)
			}
		}
	}
	if !slices.IsSortedFunc(refusals, func(a, b refusal) int { return compareSections(a.section, b.section) }) {
		t.Error("the table is not in the order of the sections")
	}
	for name := range places {
		if !used[name] {
			t.Errorf("nobody calls at the place %q", name)
		}
	}
}

var sectionParts = regexp.MustCompile(`[a-z]+|\d+`)

// compareSections compares "sessions 10.2" by its page and numbers.
func compareSections(a, b string) int {
	return slices.CompareFunc(sectionParts.FindAllString(a, -1), sectionParts.FindAllString(b, -1), func(a, b string) int {
		m, errA := strconv.Atoi(a)
		n, errB := strconv.Atoi(b)
		if errA != nil || errB != nil {
			return strings.Compare(a, b)
		}
		return m - n
	})
}
