package tracing

import (
	"maps"
	"testing"
)

func TestCollector(t *testing.T) {
	for _, c := range []struct {
		endpoint string
		env      map[string]string
		want     string // "" none, "!" refused
	}{
		{"", nil, ""},
		{"http://a:1", map[string]string{tracesEndpoint: "http://b:1/x"}, "http://a:1/v1/traces"},
		{"http://a:1/base/", nil, "http://a:1/base/v1/traces"},
		{"", map[string]string{tracesEndpoint: "http://b:1/x", baseEndpoint: "http://c:1"}, "http://b:1/x"},
		{"", map[string]string{baseEndpoint: "https://c:1"}, "https://c:1/v1/traces"},
		{"", map[string]string{baseEndpoint: "localhost:4318"}, "!"},
		{"", map[string]string{baseEndpoint: "http://"}, "!"},
	} {
		u, err := collector(Options{Endpoint: c.endpoint, Getenv: func(name string) string { return c.env[name] }})
		switch {
		case c.want == "!":
			if err == nil {
				t.Errorf("%v is taken for %v", c.env, u)
			}
		case err != nil || u == nil && c.want != "" || u != nil && u.String() != c.want:
			t.Errorf("%q, %v: %v, %v, want %q", c.endpoint, c.env, u, err, c.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	env := map[string]string{baseHeaders: "a=1, b = x%2Cy=z ,nonsense,=c,d=%zz"}
	get := func(name string) string { return env[name] }
	if got, want := headers(get), map[string]string{"a": "1", "b": "x,y=z"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	env[tracesHeaders] = "e=2"
	if got, want := headers(get), map[string]string{"e": "2"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
