package gateway_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// carried is what sessions.export gives of a session, its parts put together.
type carried struct {
	entry rawjson.Value
	text  string
	parts int
	none  bool // it has no transcript
}

func export(t *testing.T, c *gatewaytest.Client, key, limit string) (out carried) {
	t.Helper()
	more := ""
	for {
		var r struct {
			Entry      rawjson.Value `json:"entry"`
			Transcript *struct {
				Stamp      string        `json:"stamp"`
				Data       []byte        `json:"data"`
				NextOffset rawjson.Value `json:"nextOffset"`
			} `json:"transcript"`
		}
		decode(t, c.Call("sessions.export", `{"key":`+quoted(key)+`,"limit":`+limit+more+`}`), &r)
		if out.entry = r.Entry; r.Transcript == nil {
			out.none = true
			return out
		}
		out.text, out.parts = out.text+string(r.Transcript.Data), out.parts+1
		if rawjson.Null(r.Transcript.NextOffset) {
			return out
		}
		more = `,"offset":` + string(r.Transcript.NextOffset) + `,"stamp":` + quoted(r.Transcript.Stamp)
	}
}

// receive sends a transcript in parts.
func receive(c *gatewaytest.Client, key, upload, text string, part int) {
	for off := 0; off < len(text); off += part {
		data := base64.StdEncoding.EncodeToString([]byte(text[off:min(len(text), off+part)]))
		c.Call("sessions.import.part", `{"key":`+quoted(key)+`,"upload":`+quoted(upload)+`,"offset":`+string(rawjson.MustMarshal(off))+`,"data":"`+data+`"}`)
	}
}

// What comes out goes in again, byte by byte: odd lines, fields of other
// programs. (The spelling of numbers is tried in package client: the client of
// these tests writes them as JavaScript does.)
func TestSessionsGoOverToAnotherGateway(t *testing.T) {
	entry := `{"sessionId":"s-a","updatedAt":5,"label":"L","odd":{"b":1.5,"a":"é"},"sessionFile":"DIR/s-a.jsonl","status":"done"}`
	text := conversation("s-a", "of a") + "{\"type\":\"custom\",\"n\":1.50}\r\nno JSON \xff\n{\"torn"
	var moved carried
	archived(t, "", map[string]string{
		"sessions.json": `{"agent:main:a":` + entry + `,"agent:main:bare":{"updatedAt":1}}`, "s-a.jsonl": text,
	}, func(t *testing.T, l *gatewaytest.Listener, _ string) {
		a := gatewaytest.Connect(t, l, "")
		for _, limit := range []string{"1000000", "7"} {
			if moved = export(t, a, "A", limit); moved.text != text {
				t.Errorf("in parts of %s: %q", limit, moved.text)
			}
		}
		if got := export(t, a, "bare", "1"); !got.none || string(got.entry) != `{"updatedAt":1}` {
			t.Errorf("bare: %+v", got)
		}
		refusals(t, a, "sessions.export", [][2]string{{`{"key":"none"}`, "unknown session: none"}, {`{"key":" "}`, "key required"}})
	})
	archived(t, "", nil, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		a.Call("sessions.subscribe", "")
		receive(a, "a", "upload-1", moved.text, 100)
		got := string(a.Call("sessions.import", `{"key":"a","entry":`+string(moved.entry)+`,"upload":"upload-1","size":`+string(rawjson.MustMarshal(len(moved.text)))+`}`))
		want := `{"ok":true,"key":"agent:main:a","sessionId":"s-a","entry":{"sessionId":"s-a","updatedAt":5,"label":"L","odd":{"b":1.5,"a":"é"},"status":"done"},` +
			`"transcript":"` + dir + `/s-a.jsonl","archived":[]}`
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if e := string(a.Event("sessions.changed")); !strings.Contains(e, `"sessionKey":"agent:main:a","reason":"create"`) {
			t.Errorf("event %s", e)
		}
		if read, err := os.ReadFile(filepath.Join(dir, "s-a.jsonl")); err != nil || string(read) != text {
			t.Errorf("transcript %q, %v", read, err)
		}
		if d := cmp.Diff([]string{"of a"}, texts(t, a, "a")); d != "" {
			t.Error(d)
		}
		a.Call("sessions.import", `{"key":"bare","entry":{"updatedAt":1}}`)
		if got := export(t, a, "bare", "1"); !got.none || string(got.entry) != `{"updatedAt":1}` {
			t.Errorf("bare: %+v", got)
		}
	})
}

func TestSessionsImportRefusesWhatIsInTheWay(t *testing.T) {
	archived(t, "", map[string]string{
		"sessions.json": `{"agent:main:a":{"sessionId":"s-a","updatedAt":5,"label":"L"},"agent:main:b":{"sessionId":"s-b","updatedAt":6}}`,
		"s-a.jsonl":     conversation("s-a", "of a"), "s-b.jsonl": conversation("s-b", "of b"), "stray.jsonl": conversation("stray", "of nobody"),
	}, func(t *testing.T, l *gatewaytest.Listener, dir string) {
		a := gatewaytest.Connect(t, l, "")
		new := conversation("stray", "new")
		size := string(rawjson.MustMarshal(len(new)))
		refusals(t, a, "sessions.import", [][2]string{
			{`{"key":"a","entry":{"sessionId":"x"}}`, "session already exists: agent:main:a"},
			{`{"key":"c","entry":{"sessionId":"s-b"}}`, "another session has the session id of agent:main:c: s-b"},
			{`{"key":"c","entry":{"sessionId":"s-b"},"force":true}`, "another session has the session id of agent:main:c: s-b"},
			{`{"key":"c","entry":{"sessionId":"stray"}}`, "there is a transcript of the session id of agent:main:c already: " + dir + "/stray.jsonl"},
			{`{"key":"c","entry":{},"upload":"upload-1","size":1}`, "the entry has no sessionId, so it cannot have a transcript"},
			{`{"key":"c","entry":{"sessionId":"x"},"upload":"upload-1","size":1}`, "take in the transcript of agent:main:c: the part does not fit what was received: nothing is there"},
			{`{"key":" ","entry":{}}`, "key required"},
			{`{"key":"c","entry":[]}`, "invalid sessions.import params: at /entry: must be object"},
		})
		refusals(t, a, "sessions.import.part", [][2]string{
			{`{"key":"c","upload":"upload-1","offset":0,"data":"?"}`, "data is not base64"},
			{`{"key":"c","upload":"../../../x","offset":0,"data":""}`, "the part does not fit what was received: the upload needs a name of 8 to 64 small letters, digits and -"},
		})
		if d := cmp.Diff([]string{"of a"}, texts(t, a, "a")); d != "" {
			t.Errorf("a refused import changed the session: %s", d)
		}

		// Forced, all that was in the way is an archive.
		receive(a, "a", "upload-2", new, 1000)
		got := string(a.Call("sessions.import", `{"key":"a","entry":{"sessionId":"stray","updatedAt":7,"label":"L","status":"running","startedAt":3},"upload":"upload-2","size":`+size+`,"force":true}`))
		if !strings.Contains(got, `"entry":{"sessionId":"stray","updatedAt":7,"label":"L","status":"killed","startedAt":3,"abortedLastRun":true,"endedAt":7,"runtimeMs":4}`) ||
			!strings.Contains(got, `"archived":["`+dir+`/s-a.jsonl.reset.`) || !strings.Contains(got, `"`+dir+`/stray.jsonl.reset.`) {
			t.Errorf("got %s", got)
		}
		if d := cmp.Diff([]string{"new"}, texts(t, a, "a")); d != "" {
			t.Error(d)
		}
		if archives, _ := archivesOf(t, a, `{"key":"a"}`); archives.TotalCount != 2 {
			t.Errorf("%d archives are recorded", archives.TotalCount)
		}
		// A label goes to one session only.
		if got := string(a.Call("sessions.import", `{"key":"c","entry":{"sessionId":"x","updatedAt":1,"label":"L"}}`)); !strings.Contains(got, `"entry":{"sessionId":"x","updatedAt":1},"archived":[],"labelTaken":"L"`) {
			t.Errorf("got %s", got)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		reader := gatewaytest.Connect(t, l, `{"scopes":["operator.read","operator.write"]}`)
		refusals(t, reader, "sessions.export", [][2]string{{`{"key":"a"}`, "missing scope: operator.admin"}})
		refusals(t, reader, "sessions.import", [][2]string{{`{"key":"z","entry":{}}`, "missing scope: operator.admin"}})
	})
}
