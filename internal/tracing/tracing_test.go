package tracing

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func none(string) string { return "" }

// Spans hang together, from the caller's to the innermost, also where a context
// did not come along.
func TestSpansHangTogether(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	tr := newTracer(Options{Ratio: 0, Getenv: none}, sdktrace.NewSimpleSpanProcessor(kept)) // the caller decides
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx, request := tr.Begin(t.Context(), "chat.send", parent)
	_, commit := Start(ctx, "commit", "n", "1")
	commit.End("")
	carried := From(ctx)
	request.End("UNAVAILABLE")
	_, run := Start(carried.In(context.Background()), "run")
	run.End("")
	spans := kept.GetSpans()
	if len(spans) != 3 {
		t.Fatalf("%d spans", len(spans))
	}
	for _, s := range spans {
		if got := s.SpanContext.TraceID().String(); got != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s is of the trace %s", s.Name, got)
		}
		want := request.s.SpanContext().SpanID().String()
		if s.Name == "chat.send" {
			want = "b7ad6b7169203331"
		}
		if got := s.Parent.SpanID().String(); got != want {
			t.Errorf("%s is under %s, want %s", s.Name, got, want)
		}
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotRecorded(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	tr := newTracer(Options{Ratio: 0, Getenv: none}, sdktrace.NewSimpleSpanProcessor(kept))
	for _, traceparent := range []string{"", "nonsense", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"} {
		ctx, s := tr.Begin(t.Context(), "x", traceparent)
		if _, inner := Start(ctx, "y"); inner.s != nil {
			t.Errorf("%q: a span within one that is not recorded", traceparent)
		}
		s.End("")
	}
	if n := len(kept.GetSpans()); n != 0 {
		t.Errorf("%d spans", n)
	}
	var off *Tracer
	ctx, s := off.Begin(t.Context(), "x", "")
	s.Set("a", "b")
	s.End("")
	if _, inner := Start(s.In(ctx), "y"); inner.s != nil || off.Close(ctx) != nil {
		t.Error("a tracer that is off traces")
	}
	if got, err := New(t.Context(), Options{Getenv: none}); got != nil || err != nil {
		t.Errorf("without a collector: %v, %v", got, err)
	}
}

// What is off costs no memory.
func TestOffAllocatesNothing(t *testing.T) {
	var off *Tracer
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		ctx, s := off.Begin(ctx, "x", "", "a", "b")
		_, inner := Start(ctx, "y", "a", "b")
		inner.End("")
		s.End("")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSendingToACollector(t *testing.T) {
	asked := make(chan *http.Request, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r }))
	defer srv.Close()
	tr, err := New(t.Context(), Options{Endpoint: srv.URL + "/", Ratio: 1, Getenv: none, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, s := tr.Begin(t.Context(), "x", "")
	s.End("")
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-asked; r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("%s, %v", r.URL, r.Header)
	}
}

// What only Getenv knows, not the process, counts as well.
func TestCollectorOfTheVariables(t *testing.T) {
	asked := make(chan *http.Request, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r }))
	defer srv.Close()
	env := map[string]string{baseEndpoint: srv.URL, baseHeaders: "Authorization=Bearer%20x"}
	tr, err := New(t.Context(), Options{Ratio: 1, Getenv: func(name string) string { return env[name] }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, s := tr.Begin(t.Context(), "x", "")
	s.End("")
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-asked; r.URL.Path != "/v1/traces" || r.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("%s, %v", r.URL, r.Header)
	}
}

// A collector that is not there is told once a minute, not with each batch.
func TestTellingOfACollectorThatIsNotThere(t *testing.T) {
	var log strings.Builder
	e := &told{SpanExporter: failing{}, log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 3 {
		if err := e.ExportSpans(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "traces cannot be sent"); n != 1 {
		t.Errorf("told %d times", n)
	}
	e.last = e.last.Add(-2 * time.Minute)
	_ = e.ExportSpans(t.Context(), nil) // told in the log
	if n := strings.Count(log.String(), "traces cannot be sent"); n != 2 {
		t.Errorf("told %d times after two minutes", n)
	}
}

type failing struct{ sdktrace.SpanExporter }

func (failing) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	return context.DeadlineExceeded
}
