package tracing

import (
	"fmt"
	"net/url"
	"strings"
)

// The variables that name a collector. The exporter would read them from the
// process, but some are set by the configuration or an .env file, which only
// Options.Getenv knows.
const (
	tracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" // taken as it is
	baseEndpoint   = "OTEL_EXPORTER_OTLP_ENDPOINT"        // the base of all signals
	tracesHeaders  = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
	baseHeaders    = "OTEL_EXPORTER_OTLP_HEADERS"
	tracesPath     = "/v1/traces"
)

// collector is where spans are sent to, nil when nothing names a collector.
func collector(o Options) (*url.URL, error) {
	for _, c := range []struct{ from, text, path string }{
		{"parley.tracing.endpoint", o.Endpoint, tracesPath},
		{tracesEndpoint, o.Getenv(tracesEndpoint), ""},
		{baseEndpoint, o.Getenv(baseEndpoint), tracesPath},
	} {
		if c.text == "" {
			continue
		}
		u, err := url.Parse(c.text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%s is no URL of a collector such as http://127.0.0.1:4318", c.from) // a password may stand in it
		}
		if c.path != "" {
			u = u.JoinPath(c.path)
		}
		return u, nil
	}
	return nil, nil
}

// headers are what a collector wants with each request: name=value, by commas,
// values escaped as in URLs. What has another form is passed over.
func headers(getenv func(string) string) map[string]string {
	text := getenv(tracesHeaders)
	if text == "" {
		text = getenv(baseHeaders)
	}
	out := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); ok && err == nil && name != "" {
			out[name] = value
		}
	}
	return out
}
