package gateway

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/hub"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const bearer = "Authorization: Bearer secret-token"

// historyFiles are a session of three messages, one without a session id and
// one without a transcript.
var historyFiles = map[string]string{
	"agents/main/sessions/sessions.json": threeSessions,
	"agents/main/sessions/s-a.jsonl": `{"type":"session","version":3,"id":"s-a"}
{"type":"message","id":"m1","message":{"role":"user","content":"<1>"}}
{"type":"message","id":"m2","message":{"role":"user","content":"2.0"}}
{"type":"message","id":"m3","message":{"role":"user","content":"3"}}
`,
}

func TestSessionHistoryPages(t *testing.T) {
	g := webOf(t, `"port":18789`, historyFiles)
	m := []string{"", `{"role":"user","content":"<1>","__openclaw":{"id":"m1","seq":1}}`,
		`{"role":"user","content":"2.0","__openclaw":{"id":"m2","seq":2}}`,
		`{"role":"user","content":"3","__openclaw":{"id":"m3","seq":3}}`}
	body := func(more string, messages ...string) string {
		list := "[" + strings.Join(messages, ",") + "]"
		return `{"sessionKey":"agent:main:a","items":` + list + `,"messages":` + list + `,"hasMore":` + more + `}`
	}
	for _, c := range []struct{ path, want string }{
		{"/sessions/a/history", body("false", m[1:]...)},
		{"/sessions/agent%3AMAIN%3Aa/history", body("false", m[1:]...)},
		{"/sessions/%20a%20/history?limit=", body("false", m[1:]...)},
		{"/sessions/a/history?limit=3", body("false", m[1:]...)},
		{"/sessions/a/history?limit=2", body(`true,"nextCursor":"2"`, m[2:]...)},
		{"/sessions/a/history?limit=2.9", body(`true,"nextCursor":"2"`, m[2:]...)},
		{"/sessions/a/history?limit=0", body(`true,"nextCursor":"3"`, m[3])},
		{"/sessions/a/history?limit=-4", body(`true,"nextCursor":"3"`, m[3])},
		{"/sessions/a/history?limit=x", body(`true,"nextCursor":"3"`, m[3])},
		{"/sessions/a/history?limit=1e999", body(`true,"nextCursor":"3"`, m[3])},
		{"/sessions/a/history?limit=1&limit=3", body(`true,"nextCursor":"3"`, m[3])},
		{"/sessions/a/history?cursor=3", body("false", m[1:3]...)},
		{"/sessions/a/history?cursor=seq:3", body("false", m[1:3]...)},
		{"/sessions/a/history?cursor=3&limit=1", body(`true,"nextCursor":"2"`, m[2])},
		{"/sessions/a/history?cursor=2&limit=1", body("false", m[1])},
		{"/sessions/a/history?cursor=1", body("false")},
		{"/sessions/a/history?cursor=0", body("false", m[1:]...)},
		{"/sessions/a/history?cursor=-1", body("false", m[1:]...)},
		{"/sessions/a/history?cursor=x", body("false", m[1:]...)},
		{"/sessions/a/history?cursor=999", body("false", m[1:]...)},
		{"/sessions/no-file/history", `{"sessionKey":"agent:main:no-file","items":[],"messages":[],"hasMore":false}`},
	} {
		w := ask(g, "GET", c.path, bearer)
		if got := w.Body.String(); w.Code != 200 || got != c.want || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %s\n%s, want 200\n%s", c.path, w.Code, w.Header().Get("Content-Type"), got, c.want)
		}
	}
}

func TestWantedPage(t *testing.T) {
	for _, c := range []struct {
		query string
		want  pageRequest
	}{
		{"", pageRequest{0, math.MaxInt, false}},
		{"limit=%20&cursor=%09", pageRequest{0, math.MaxInt, false}},
		{"limit=1000", pageRequest{1000, math.MaxInt, true}},
		{"limit=1001", pageRequest{1000, math.MaxInt, true}},
		{"limit=NaN", pageRequest{1, math.MaxInt, true}},
		{"limit=1e2", pageRequest{1, math.MaxInt, true}},
		{"limit=25x", pageRequest{25, math.MaxInt, true}},
		{"limit=Infinity", pageRequest{1, math.MaxInt, true}},
		{"limit=0x10", pageRequest{1, math.MaxInt, true}},
		{"limit=99999999999999999999", pageRequest{1000, math.MaxInt, true}},
		{"limit=%zz", pageRequest{1, math.MaxInt, true}},
		{"limit=2;cursor=5", pageRequest{2, math.MaxInt, true}},
		{"limit=2&%zz=1&cursor=+5", pageRequest{2, 5, true}},
		{"li%6dit=3&limit=4", pageRequest{3, math.MaxInt, true}},
		{"Limit=3&cursor", pageRequest{0, math.MaxInt, false}},
		{"cursor=zz", pageRequest{0, math.MaxInt, true}},
		{"cursor=12abc", pageRequest{0, 12, true}},
		{"cursor=%20seq:7%20", pageRequest{0, 7, true}},
		{"cursor=99999999999999999999", pageRequest{0, math.MaxInt, true}},
	} {
		if got := wantedPage(c.query); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.query, got, c.want)
		}
	}
}

// TestSessionEndpointChecks: what is wrong first is told first.
func TestSessionEndpointChecks(t *testing.T) {
	g := webOf(t, `"controlUi":{"enabled":false}`, historyFiles)
	const (
		unauthorized = `{"error":{"message":"Unauthorized","type":"unauthorized"}}`
		invalid      = `{"error":{"message":"invalid session key","type":"invalid_request_error"}}`
		noWrite      = `{"ok":false,"error":{"type":"forbidden","message":"missing scope: operator.write"}}`
		noRead       = `{"ok":false,"error":{"type":"forbidden","message":"missing scope: operator.read"}}`
	)
	missing := func(key string) string {
		return `{"ok":false,"error":{"type":"not_found","message":"Session not found: ` + key + `"}}`
	}
	for _, c := range []struct {
		method, path, header string
		want                 int
		body, allow          string
	}{
		{"GET", "/sessions/a/history", "", 401, unauthorized, ""},
		{"GET", "/sessions/a/history", "Authorization: Bearer nope", 401, unauthorized, ""},
		{"GET", "/sessions/a/history", "Authorization: Basic secret-token", 401, unauthorized, ""},
		{"GET", "/sessions/gone/history", "", 401, unauthorized, ""},
		{"GET", "/sessions/%20Gone%20/history", bearer, 404, missing("Gone"), ""},
		{"GET", "/sessions/no-id/history", bearer, 404, missing("no-id"), ""},
		{"POST", "/sessions/a/history", "", 405, "Method Not Allowed", "GET"},
		{"HEAD", "/sessions/a/history", bearer, 405, "Method Not Allowed", "GET"},
		{"POST", "/sessions/%ff/history", "", 400, invalid, ""},
		{"GET", "/sessions/%20/history", bearer, 404, "Not Found", ""},
		{"GET", "/sessions//history", bearer, 404, "Not Found", ""},
		{"GET", "/sessions/a/b/history", bearer, 404, "Not Found", ""},
		{"GET", "/sessions/a/history/", bearer, 404, "Not Found", ""},
		{"GET", "/sessions/a", bearer, 404, "Not Found", ""},
		{"GET", "/sessions/a/kill", bearer, 405, "Method Not Allowed", "POST"},
		{"POST", "/sessions/%fe/kill", "", 400, invalid, ""},
		{"POST", "/sessions/a/kill", "", 401, unauthorized, ""},
		{"POST", "/sessions/a/kill", "Authorization: bearer secret-token", 200, `{"ok":true,"killed":false}`, ""},
		{"POST", "/sessions/gone/kill", bearer, 404, missing("gone"), ""},
		{"POST", "/sessions/a/kill", bearer + "\nParley-Scopes: operator.read, other", 403, noWrite, ""},
		{"POST", "/sessions/gone/kill", bearer + "\nParley-Scopes: operator.read", 403, noWrite, ""},
		{"POST", "/sessions/a/kill", bearer + "\nParley-Scopes: operator.read, operator.write", 200, `{"ok":true,"killed":false}`, ""},
		{"GET", "/sessions/a/history", bearer + "\nParley-Scopes: ", 403, noRead, ""},
		{"GET", "/sessions/gone/history", bearer + "\nParley-Scopes: operator.write", 404, missing("gone"), ""},
	} {
		w := ask(g, c.method, c.path, strings.Split(c.header, "\n")...)
		if w.Code != c.want || w.Body.String() != c.body || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s [%s]: %d %q allow %q, want %d %q allow %q",
				c.method, c.path, c.header, w.Code, w.Body, w.Header().Get("Allow"), c.want, c.body, c.allow)
		}
	}
}

// TestSessionEndpointModes: whom the other auth modes let in, and how far.
func TestSessionEndpointModes(t *testing.T) {
	const (
		proxy = `{"gateway":{"auth":{"mode":"trusted-proxy","trustedProxy":{"userHeader":"X-User"}},"trustedProxies":["127.0.0.1"]}}`
		none  = `{"gateway":{"auth":{"mode":"none"}}}`
		pass  = `{"gateway":{"auth":{"mode":"password","password":"open sesame","token":"t"}}}`
	)
	for _, c := range []struct {
		name, cfg, header string
		history, kill     int
	}{
		{"none", none, "", 200, 200},
		{"proxy with user", proxy, "X-User: ann", 200, 403},
		{"proxy without user", proxy, "", 401, 401},
		{"password", pass, "Authorization: Bearer open sesame", 200, 200},
		{"token where a password counts", pass, "Authorization: Bearer t", 401, 401},
	} {
		g := webWith(t, c.cfg, historyFiles)
		if w := ask(g, "GET", "/sessions/a/history", c.header); w.Code != c.history {
			t.Errorf("%s: history answers %d %s, want %d", c.name, w.Code, w.Body, c.history)
		}
		if w := ask(g, "POST", "/sessions/a/kill", c.header); w.Code != c.kill {
			t.Errorf("%s: kill answers %d %s, want %d", c.name, w.Code, w.Body, c.kill)
		}
	}
}

func TestSessionEndpointsLockOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := webOf(t, `"port":18789`, historyFiles)
		for range 10 {
			if w := ask(g, "GET", "/sessions/a/history", "Authorization: Bearer nope"); w.Code != 401 {
				t.Fatalf("wrong secret: %d %s, want 401", w.Code, w.Body)
			}
		}
		time.Sleep(500 * time.Millisecond) // what is left is rounded up
		for _, c := range []struct{ method, path string }{{"GET", "/sessions/a/history"}, {"POST", "/sessions/a/kill"}} {
			w := ask(g, c.method, c.path, bearer)
			want := `{"error":{"message":"Too many failed authentication attempts. Please try again later.","type":"rate_limited"}}`
			if w.Code != 429 || w.Body.String() != want || w.Header().Get("Retry-After") != "300" {
				t.Errorf("%s: %d %s Retry-After %q, want 429 and 300", c.path, w.Code, w.Body, w.Header().Get("Retry-After"))
			}
		}
	})
}

// TestSlowStreamIsCutOff: a client that stops reading costs a bounded amount of
// memory, and learns by the end of its stream that it missed something.
func TestSlowStreamIsCutOff(t *testing.T) {
	s := newStream(protocol.NewScopeSet("operator.read"))
	s.Deliver(&hub.Frame{Name: "tick", Open: []byte(`{`)})
	if frames, end := s.take(); len(frames) > 0 || end != nil {
		t.Fatalf("after a tick there are %d frames and the end %v, want none", len(frames), end)
	}
	shared := append(make([]byte, 0, 64), `{"event":"session.message"`...)
	s.Deliver(&hub.Frame{Name: "session.message", Open: shared})
	if frames, _ := s.take(); len(frames) != 1 || string(frames[0]) != string(shared)+"}" || shared[:len(shared)+1][len(shared)] == '}' {
		t.Fatalf("took %q, want the frame and the shared bytes as they were", frames)
	}
	big := make([]byte, streamLimit/4)
	for range 6 {
		s.Deliver(&hub.Frame{Name: "session.message", Open: big})
	}
	if frames, end := s.take(); len(frames) > 0 || !errors.Is(end, errSlow) {
		t.Errorf("too much waits: %d frames, end %v, want none and %v", len(frames), end, errSlow)
	}
}

// TestStreamEventsAreLines: a stored message with line ends in it must not tear
// an event apart.
func TestStreamEventsAreLines(t *testing.T) {
	w := httptest.NewRecorder()
	out := eventWriter{w, http.NewResponseController(w)}
	if err := out.event("message", rawjson.Value("{\"a\":\r\n[1.0,\n\"\\n\u2028\"]}")); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("event: message\ndata: %s\n\n", "{\"a\":[1.0,\"\\n\u2028\"]}")
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// TestStreamTellsOnce: a message that was heard of while the history was read
// stands in it already.
func TestStreamTellsOnce(t *testing.T) {
	g := webOf(t, `"port":18789`, historyFiles)
	page, err := g.historyPage("agent:main:a", wantedPage(""))
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for _, id := range []string{"m3", "m4"} {
		frames = append(frames, []byte(`{"type":"event","event":"session.message","payload":{"sessionKey":"agent:main:a","message":1,"messageId":"`+id+`","updatedAt":5}}`))
	}
	w := httptest.NewRecorder()
	if err := g.tell(eventWriter{w, http.NewResponseController(w)}, frames, "agent:main:a", pageRequest{}, page.lastIDs()); err != nil {
		t.Fatal(err)
	}
	want := "event: message\ndata: {\"sessionKey\":\"agent:main:a\",\"message\":1,\"messageId\":\"m4\"}\n\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
