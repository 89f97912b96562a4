package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/transcript"
	"github.com/parleyd/parley/internal/webui"
)

// webOf is a gateway that answers plain HTTP requests to who has the token
// secret-token, with these other members of the configuration's part gateway,
// over a state directory with these files.
func webOf(t testing.TB, part string, files map[string]string) *Gateway {
	t.Helper()
	return webWith(t, `{"gateway":{"auth":{"mode":"token","token":"secret-token"},`+part+`}}`, files)
}

// webWith is webOf with a whole configuration.
func webWith(t testing.TB, cfg string, files map[string]string) *Gateway {
	t.Helper()
	g := doorOf(t, cfg)
	g.transcripts = transcript.New(transcript.Options{StateDir: g.cfg().StateDir, Home: g.cfg().Home, Log: g.log})
	var err error
	if g.page, err = webui.New(); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(g.cfg().StateDir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// ask sends a request from this machine; headers are "Name: value".
func ask(g *Gateway, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.RemoteAddr = "127.0.0.1:18789", "127.0.0.1:5555"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func TestForeignPagesGetNothingButProbes(t *testing.T) {
	g := webOf(t, `"controlUi":{"allowedOrigins":["https://gw.example"]}`, nil)
	const bearer = "Authorization: Bearer secret-token"
	for _, c := range []struct {
		name, method, path string
		headers            []string
		want               int
	}{
		{"no browser", "GET", "/", nil, 200},
		{"a page of this machine", "GET", "/", []string{"Origin: http://localhost:5173"}, 200},
		{"an allowed page", "GET", "/", []string{"Origin: https://gw.example"}, 200},
		{"a foreign page", "GET", "/", []string{"Origin: https://evil.example"}, 403},
		{"a sandboxed page", "GET", "/", []string{"Origin: null"}, 403},
		{"a foreign page with the secret", "GET", "/sessions/x/history", []string{"Origin: https://evil.example", bearer}, 403},
		{"a foreign page that kills", "POST", "/sessions/x/kill", []string{"Origin: https://evil.example", bearer}, 403},
		{"a rebound name", "GET", "/", []string{"Host: evil.example:18789"}, 403},
		{"a rebound name with the secret", "GET", "/sessions/x/history", []string{"Host: evil.example:18789", bearer}, 403},
		{"a rebound name on what is not there", "GET", "/api/x", []string{"Host: evil.example:18789"}, 403},
		{"the name of an allowed page", "GET", "/", []string{"Host: gw.example"}, 200},
		{"a foreign page at a probe", "GET", "/health", []string{"Origin: https://evil.example"}, 200},
		{"a rebound name at a probe", "GET", "/readyz", []string{"Host: evil.example"}, 200},
	} {
		w := ask(g, c.method, c.path, c.headers...)
		if w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, w.Code, w.Body, c.want)
		}
		if c.want == 403 && !strings.Contains(w.Body.String(), "gateway.controlUi.allowedOrigins") {
			t.Errorf("%s: the answer does not say what to do: %s", c.name, w.Body)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Permissions-Policy": "camera=(), microphone=(), geolocation=()",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got, want)
			}
		}
	}
}

// TestForeignHostOnTheNetwork: on other binds any name may be ours.
func TestForeignHostOnTheNetwork(t *testing.T) {
	g := webOf(t, `"bind":"lan"`, nil)
	if w := ask(g, "GET", "/", "Host: box.lan:18789"); w.Code != http.StatusOK {
		t.Errorf("answered %d %s, want 200", w.Code, w.Body)
	}
}

// TestProbesAreNotDecoded: every route takes the path as it was written.
func TestProbesAreNotDecoded(t *testing.T) {
	server := httptest.NewServer(webOf(t, `"controlUi":{"enabled":false}`, nil))
	defer server.Close()
	for _, c := range []struct {
		method, path string
		want         int
		body         string
	}{
		{"GET", "/health", 200, `{"ok":true,"status":"live"}`},
		{"HEAD", "/health", 200, ""},
		{"PUT", "/health", 405, "Method Not Allowed"},
		{"GET", "/he%61lth", 404, "Not Found"},
		{"GET", "/health/", 404, "Not Found"},
		{"GET", "/", 404, "Not Found"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != c.want || string(got) != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, res.StatusCode, got, c.want, c.body)
		}
	}
}
