package webui

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func page(t *testing.T) *Page {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// get asks for a path with headers, names and values by turns.
func get(p *Page, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, "http://127.0.0.1:18789"+path, nil)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	p.Serve(w, r, path)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// All that the page refers to is there, and kept for good.
func TestPageIsWhole(t *testing.T) {
	p := page(t)
	r := get(p, "GET", "/")
	text := body(t, r)
	if r.StatusCode != 200 || r.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page: %d %v", r.StatusCode, r.Header)
	}
	refs := regexp.MustCompile(`(?:href|src)="\.(/assets/[^"]+)"`).FindAllStringSubmatch(text, -1)
	if len(refs) < 20 {
		t.Errorf("the page refers to %d files", len(refs))
	}
	for _, ref := range refs {
		r := get(p, "GET", ref[1])
		if r.StatusCode != 200 || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", ref[1], r.StatusCode, r.Header)
		}
	}
	if strings.Contains(text, "{{") || strings.Contains(text, "<!--modules") {
		t.Error("the page was not filled in")
	}
}

// Every module that a module imports is served.
func TestModulesAreServed(t *testing.T) {
	p := page(t)
	imports := regexp.MustCompile(`(?m)^(?:import|export) .*from "\./([^"]+)"`)
	n := 0
	for path, a := range p.assets {
		for _, m := range imports.FindAllSubmatch(a.content, -1) {
			n++
			if _, ok := p.assets[assetsPath+p.digest+"/js/"+string(m[1])]; !ok {
				t.Errorf("%s imports %s, which is not there", path, m[1])
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d imports were found", n)
	}
}

func TestPolicyAllowsNothingElse(t *testing.T) {
	policy := get(page(t), "GET", "/").Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'", "connect-src 'self' ws://127.0.0.1:18789 "} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy allows something unsafe: %s", policy)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "a;script-src *"
	w := httptest.NewRecorder()
	page(t).Serve(w, r, "/")
	if p := w.Header().Get("Content-Security-Policy"); strings.Contains(p, "*") {
		t.Errorf("a Host got into the policy: %s", p)
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	p := page(t)
	for _, encoding := range []string{"", "gzip"} {
		first := get(p, "GET", "/", "Accept-Encoding", encoding)
		again := get(p, "GET", "/", "Accept-Encoding", encoding, "If-None-Match", `"x", W/`+first.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body(t, again) != "" || again.Header.Get("Content-Encoding") != "" {
			t.Errorf("with %q: %d %v", encoding, again.StatusCode, again.Header)
		}
	}
}

func TestCompressed(t *testing.T) {
	p := page(t)
	plain := body(t, get(p, "GET", "/"))
	for accept, want := range map[string]string{"gzip": "gzip", "br, GZIP;q=0.5": "gzip", "gzip;q=0": "", "deflate": "", "gzip; q=x": ""} {
		r := get(p, "GET", "/", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%q: encoding %q, want %q", accept, got, want)
			continue
		}
		text := body(t, r)
		if want == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := b.ReadFrom(z); err != nil {
				t.Fatal(err)
			}
			text = b.String()
		}
		if text != plain {
			t.Errorf("%q: another content", accept)
		}
	}
}

func TestHeadAndUnknown(t *testing.T) {
	p := page(t)
	if r := get(p, "HEAD", "/"); r.StatusCode != 200 || body(t, r) != "" || r.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %v", r.StatusCode, r.Header)
	}
	for _, path := range []string{"/index.html", "/assets/", "/assets/0000000000000000/style.css", "/../webui.go"} {
		if r := get(p, "GET", path); r.StatusCode != 404 || r.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
		}
	}
}

func TestReadRefusesWhatIsNotServed(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no page":       {"style.css": {}},
		"a strange one": {"index.html": {}, "page.exe": {}},
	} {
		if _, err := read(files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
