package gateway

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/parleyd/parley/internal/tracing"
)

// A call that names the caller's span, its commits, its run and what the model
// does are one trace at the collector, by frame, by JSON-RPC and by header.
func TestTraces(t *testing.T) {
	type seen struct{ trace, id, parent string }
	var mu sync.Mutex
	spans := map[string]seen{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &sent); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range sent.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					spans[s.Name] = seen{hex.EncodeToString(s.TraceId), hex.EncodeToString(s.SpanId), hex.EncodeToString(s.ParentSpanId)}
				}
			}
		}
	}))
	defer srv.Close()
	tracer, err := tracing.New(t.Context(), tracing.Options{Endpoint: srv.URL, Ratio: 0, Getenv: func(string) string { return "" }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	o := optionsFor(t, t.TempDir(), nil)
	o.Tracer = tracer
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	const a, b, caller = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	parent := func(trace string) string { return "00-" + trace + "-" + caller + "-01" }
	admin := joined(t, g, "admin", cli(1))
	g.dispatchFrame(t.Context(), admin, []byte(`{"type":"req","id":"1","method":"chat.send","traceparent":"`+parent(a)+`","params":{"sessionKey":"a","message":"hello","idempotencyKey":"r"}}`))
	if out, err := g.engine.Wait(t.Context(), "r"); err != nil || out.Failed() {
		t.Fatalf("%+v, %v", out, err)
	}
	g.dispatchFrame(t.Context(), admin, []byte(`{"type":"req","id":"2","method":"no.such.method","traceparent":"`+parent(a)+`"}`))
	g.dispatchFrame(t.Context(), admin, []byte(`{"type":"req","id":"3","method":"agents.list","traceparent":"nonsense"}`))
	r := httptest.NewRequest(http.MethodPost, "/rpc", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"sessions.list"}`))
	r.Host, r.RemoteAddr = "127.0.0.1:18789", "127.0.0.1:5"
	r.Header.Set("Authorization", "Bearer secret-token")
	r.Header.Set("Traceparent", parent(b))
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	if !json.Valid(w.Body.Bytes()) || w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]seen{
		"chat.send":     {trace: a, parent: caller},
		"run":           {trace: a, parent: spans["chat.send"].id},
		"model":         {trace: a, parent: spans["run"].id},
		"store.commit":  {trace: a, parent: spans["run"].id},
		"unknown":       {trace: a, parent: caller},
		"sessions.list": {trace: b, parent: caller},
	} {
		got := spans[name]
		want.id = got.id
		if got != want || got.id == "" {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if _, ok := spans["agents.list"]; ok {
		t.Error("a call that nobody traces was traced")
	}
}
