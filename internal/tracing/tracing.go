// Package tracing makes OpenTelemetry spans and sends them to a collector, where
// one is configured. It keeps nothing global: a span finds its tracer through
// its parent, which a context carries, so the parts below the gateway begin
// spans without knowing whether anybody wants them.
//
// A nil Tracer and the zero Span do nothing, and cost a look at a pointer. All
// may be used by many goroutines.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say where spans go.
type Options struct {
	// Endpoint is the base URL of an OTLP collector that takes HTTP; spans go to
	// /v1/traces below it. With "" the standard variables OTEL_EXPORTER_OTLP_*
	// count, if they name one.
	Endpoint string
	// Ratio is the share of traces begun here that are recorded.
	Ratio   float64
	Version string
	Getenv  func(string) string
	Log     *slog.Logger
}

// Tracer begins traces.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// New is a tracer, nil when no collector is configured. It connects when there
// is something to send; what cannot be sent is dropped and logged.
func New(ctx context.Context, o Options) (*Tracer, error) {
	to, err := collector(o)
	if err != nil || to == nil || strings.EqualFold(o.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nil, err
	}
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(to.String())}
	if headers := headers(o.Getenv); len(headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(headers))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("make the exporter of traces: %w", err)
	}
	o.Log.Info("tracing", "endpoint", to.Redacted(), "ratio", o.Ratio)
	return newTracer(o, sdktrace.NewBatchSpanProcessor(&told{SpanExporter: exporter, log: o.Log})), nil
}

func newTracer(o Options, p sdktrace.SpanProcessor) *Tracer {
	name := o.Getenv("OTEL_SERVICE_NAME")
	if name == "" {
		name = "parley"
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(p),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.Ratio))),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", name), attribute.String("service.version", o.Version))),
	)
	return &Tracer{provider, provider.Tracer(scope)}
}

// scope is who makes the spans.
const scope = "github.com/parleyd/parley"

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Begin begins a span for work that came from outside: under the span that
// traceparent names (W3C Trace Context), or, when that is none, a trace of its
// own. attributes are names and values by turns.
func (t *Tracer) Begin(ctx context.Context, name, traceparent string, attributes ...string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	if traceparent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(pairs(attributes)...))
	return ctx, Span{s}
}

// Start begins a span under the one that ctx carries; without one it does
// nothing.
func Start(ctx context.Context, name string, attributes ...string) (context.Context, Span) {
	parent := From(ctx)
	if parent.s == nil {
		return ctx, Span{}
	}
	ctx, s := parent.s.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithAttributes(pairs(attributes)...))
	return ctx, Span{s}
}

// Span is work under way.
type Span struct{ s trace.Span }

// From is the span that ctx carries, if it is one that is recorded.
func From(ctx context.Context) Span {
	if s := trace.SpanFromContext(ctx); s.SpanContext().IsSampled() && !s.SpanContext().IsRemote() {
		return Span{s}
	}
	return Span{}
}

// In is a context that carries the span.
func (s Span) In(ctx context.Context) context.Context {
	if s.s == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.s)
}

// Equal reports whether both are the same work.
func (s Span) Equal(o Span) bool { return s.s == o.s }

// Set adds an attribute.
func (s Span) Set(name, value string) {
	if s.s != nil {
		s.s.SetAttributes(attribute.String(name, value))
	}
}

// End ends the span; failure is why the work failed, "" when it did not.
func (s Span) End(failure string) {
	if s.s == nil {
		return
	}
	if failure != "" {
		s.s.SetStatus(codes.Error, failure)
	}
	s.s.End()
}

func pairs(texts []string) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(texts)/2)
	for i := 0; i+1 < len(texts); i += 2 {
		out = append(out, attribute.String(texts[i], texts[i+1]))
	}
	return out
}

// tellEvery is how often it is logged that spans cannot be sent.
const tellEvery = time.Minute

// told logs that spans could not be sent, now and then.
type told struct {
	sdktrace.SpanExporter
	log *slog.Logger

	mu   sync.Mutex // guards last
	last time.Time
}

// ExportSpans sends spans.
func (e *told) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.last) >= tellEvery {
		e.last = time.Now()
		e.log.Warn("traces cannot be sent; look whether the collector of parley.tracing.endpoint is there", "spans", len(spans), "err", err)
	}
	return nil
}
