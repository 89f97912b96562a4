//go:build unix

package gateway

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	uiIndex  = `<!doctype html><script>var a=1</script><script src="./assets/a.js"></script><script>var b=2</script>`
	uiScript = "console.log(1)"
	uiPolicy = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; script-src 'self'; " +
		"style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; img-src 'self' data: https:; " +
		"font-src 'self' https://fonts.gstatic.com; connect-src 'self' ws: wss:"
)

var uiFiles = map[string]string{
	"ui/index.html": uiIndex, "ui/assets/a.js": uiScript, "ui/favicon.svg": "<svg/>", "ui/sub/index.html": "<p>sub</p>",
	"ui/page.html": "<p>page</p>", "ui/file.bin": "bin", "ui/UPPER.CSS": "a{}", "ui/odd%20name.txt": "odd", "outside.txt": "secret",
}

// uiOf serves a page in <state>/ui; the links in it lead where the names say.
func uiOf(t testing.TB, more string) *Gateway {
	t.Helper()
	g := webOf(t, `"controlUi":{"root":"ui"`+more+`}`, uiFiles)
	dir := filepath.Join(g.cfg().StateDir, "ui")
	for name, err := range map[string]error{
		"symlink inside":   os.Symlink("assets/a.js", filepath.Join(dir, "inside.js")),
		"symlink out":      os.Symlink("../outside.txt", filepath.Join(dir, "out.txt")),
		"absolute symlink": os.Symlink(filepath.Join(g.cfg().StateDir, "outside.txt"), filepath.Join(dir, "absolute.txt")),
		"directory out":    os.Symlink("..", filepath.Join(dir, "up")),
		"hard link":        os.Link(filepath.Join(g.cfg().StateDir, "outside.txt"), filepath.Join(dir, "hard.txt")),
		"pipe":             syscall.Mkfifo(filepath.Join(dir, "pipe.txt"), 0o600),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return g
}

// page is what an answer of the Control UI consists of.
type page struct {
	Status         int
	Type, Body     string
	Cache, Framing string
}

func pageOf(w *httptest.ResponseRecorder) page {
	h := w.Header()
	return page{w.Code, h.Get("Content-Type"), w.Body.String(), h.Get("Cache-Control"), h.Get("X-Frame-Options")}
}

func found(contentType, body string) page { return page{200, contentType, body, "no-cache", "DENY"} }

var (
	uiMissing = page{404, "text/plain; charset=utf-8", "Not Found", "", "DENY"}
	notUI     = page{404, "text/plain; charset=utf-8", "Not Found", "", ""}
	uiFirst   = found("text/html; charset=utf-8", uiIndex)
)

func TestControlUIFiles(t *testing.T) {
	const js = "application/javascript; charset=utf-8"
	g := uiOf(t, "")
	for _, c := range []struct {
		name, method, path string
		want               page
	}{
		{"root", "GET", "/", uiFirst},
		{"root with a query", "GET", "/?session=main", uiFirst},
		{"script", "GET", "/assets/a.js", found(js, uiScript)},
		{"assets from anywhere", "GET", "/chat/assets/a.js", found(js, uiScript)},
		{"the first of two assets", "GET", "/assets/x/assets/a.js", uiMissing},
		{"svg", "GET", "/favicon.svg", found("image/svg+xml", "<svg/>")},
		{"extension in capitals", "GET", "/UPPER.CSS", found("text/css; charset=utf-8", "a{}")},
		{"unknown type", "GET", "/file.bin", found("application/octet-stream", "bin")},
		{"page", "GET", "/page.html", found("text/html; charset=utf-8", "<p>page</p>")},
		{"directory", "GET", "/sub/", found("text/html; charset=utf-8", "<p>sub</p>")},
		{"directory without slash", "GET", "/sub", uiFirst},
		{"a path of the page", "GET", "/sessions", uiFirst},
		{"missing page", "GET", "/missing.html", uiFirst},
		{"missing unknown type", "GET", "/missing.bin", uiFirst},
		{"missing asset", "GET", "/missing.js", uiMissing},
		{"not decoded", "GET", "/favicon%2esvg", uiFirst},
		{"a name with an escape in it", "GET", "/odd%20name.txt", found("text/plain; charset=utf-8", "odd")},
		{"head", "HEAD", "/assets/a.js", found(js, "")},
		{"post", "POST", "/", notUI},
		{"ui", "GET", "/ui", uiMissing},
		{"below ui", "GET", "/ui/x", uiMissing},
		{"like ui", "GET", "/uix", uiFirst},
		{"api", "GET", "/api", notUI},
		{"below plugins", "GET", "/plugins/x", notUI},
		{"like plugins", "GET", "/plugins-x", uiFirst},
		{"blank session key", "GET", "/sessions/%20/history", uiFirst},

		{"up", "GET", "/../outside.txt", uiMissing},
		{"up and up", "GET", "/assets/../../outside.txt", uiMissing},
		{"just up", "GET", "/..", uiMissing},
		{"up inside", "GET", "/sub/../favicon.svg", found("image/svg+xml", "<svg/>")},
		{"up, encoded", "GET", "/%2e%2e/outside.txt", uiMissing},
		{"up, slash encoded", "GET", "/..%2foutside.txt", uiMissing},
		{"up, all encoded", "GET", "/%2e%2e%2foutside.txt", uiMissing},
		{"absolute", "GET", "//etc/hostname.txt", uiMissing},
		{"absolute below assets", "GET", "/assets//etc/hostname.txt", uiMissing},
		{"nul, encoded", "GET", "/favicon.svg%00.txt", uiMissing},
		{"nul", "GET", "/favicon\x00.svg", uiMissing},
		{"symlink inside", "GET", "/inside.js", found(js, uiScript)},
		{"symlink out", "GET", "/out.txt", uiMissing},
		{"absolute symlink", "GET", "/absolute.txt", uiMissing},
		{"through a directory out", "GET", "/up/outside.txt", uiMissing},
		{"hard link", "GET", "/hard.txt", uiMissing},
		{"pipe", "GET", "/pipe.txt", uiMissing},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.Host, r.RemoteAddr, r.RequestURI = "127.0.0.1:18789", "127.0.0.1:5555", c.path
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if diff := cmp.Diff(c.want, pageOf(w)); diff != "" {
			t.Errorf("%s: %s %q (-want +got):\n%s", c.name, c.method, c.path, diff)
		}
	}
}

func TestControlUIPolicy(t *testing.T) {
	g := uiOf(t, "")
	// Both hashes were computed with openssl.
	hashed := strings.Replace(uiPolicy, "script-src 'self'", "script-src 'self' 'sha256-WazVQOu5lmXfSreSrMJd1CsaQ4c00fUQpJfBYCuMSIw=' "+
		"'sha256-6hIaV+EuevXN1A+VGy8z6do6mDWK/hvAzkKg5BklJts='", 1)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/", hashed},
		{"GET", "/index.html", hashed},
		{"GET", "/chat", hashed},
		{"HEAD", "/", uiPolicy},
		{"GET", "/sub/", uiPolicy},
		{"GET", "/page.html", uiPolicy},
		{"GET", "/missing.js", uiPolicy},
		{"GET", "/avatar/none", uiPolicy},
		{"GET", "/api", ""},
		{"POST", "/", ""},
	} {
		if got := ask(g, c.method, c.path).Header().Get("Content-Security-Policy"); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

func TestScriptHashes(t *testing.T) {
	const one = "a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s=" // of "1"
	for _, c := range []struct {
		page string
		want []string
	}{
		{`<script>1</script>`, []string{one}},
		{`<SCRIPT type="module">1</SCRIPT >`, []string{one}},
		{`<script data-src="x">1</script>`, []string{one}},
		{`<script src="x">1</script>`, nil},
		{"<script defer\nSRC = x>1</script>", nil},
		{`<script></script>`, nil},
		{`<scripted>1</scripted>`, nil},
		{`<script>1</script><p><script>1</script>`, []string{one, one}},
		{`<script>1`, nil},
	} {
		if diff := cmp.Diff(c.want, scriptHashes([]byte(c.page))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.page, diff)
		}
	}
}

func TestControlUIBasePath(t *testing.T) {
	for _, base := range []string{"/oc", "oc", " oc/ "} {
		g := uiOf(t, `,"basePath":"`+base+`"`)
		for _, c := range []struct {
			method, path string
			want         page
			location     string
		}{
			{"GET", "/oc/", uiFirst, ""},
			{"GET", "/oc/ui", uiFirst, ""},
			{"GET", "/oc/api/x", uiFirst, ""},
			{"GET", "/oc/health", uiFirst, ""},
			{"GET", "/oc/chat/assets/a.js", found("application/javascript; charset=utf-8", uiScript), ""},
			{"GET", "/oc/../outside.txt", uiMissing, ""},
			{"GET", "/oc//etc/hostname.txt", uiMissing, ""},
			{"GET", "/oc", page{302, "", "", "", "DENY"}, "/oc/"},
			{"HEAD", "/oc?a=1&b", page{302, "", "", "", "DENY"}, "/oc/?a=1&b"},
			{"POST", "/oc", notUI, ""},
			{"GET", "/", notUI, ""},
			{"GET", "/ocx", notUI, ""},
			{"GET", "/assets/a.js", notUI, ""},
			{"GET", "/avatar/main", notUI, ""},
			{"GET", "/oc/avatar/main", uiMissing, ""},
		} {
			w := ask(g, c.method, c.path)
			if diff := cmp.Diff(c.want, pageOf(w)); diff != "" {
				t.Errorf("base %q, %s %s (-want +got):\n%s", base, c.method, c.path, diff)
			}
			if got := w.Header().Get("Location"); got != c.location {
				t.Errorf("base %q, %s %s: Location %q, want %q", base, c.method, c.path, got, c.location)
			}
		}
	}
}

func TestControlUIWithoutFiles(t *testing.T) {
	g := webOf(t, `"controlUi":{"root":"nowhere"}`, nil)
	w := ask(g, "GET", "/chat")
	if want := "Control UI assets not found at " + filepath.Join(g.cfg().StateDir, "nowhere") + ". "; w.Code != 503 || !strings.HasPrefix(w.Body.String(), want) {
		t.Errorf("missing directory: %d %q, want 503 %q…", w.Code, w.Body, want)
	}
	if err := os.MkdirAll(filepath.Join(g.cfg().StateDir, "nowhere", "index.html"), 0o700); err != nil {
		t.Fatal(err)
	}
	if w := ask(g, "GET", "/"); w.Code != 503 {
		t.Errorf("directory without page: %d %q, want 503", w.Code, w.Body)
	}
	if w := ask(g, "GET", "/__openclaw/control-ui-config.json"); w.Code != 200 {
		t.Errorf("configuration without page: %d %q, want 200", w.Code, w.Body)
	}
}

func TestControlUIRootIsThePage(t *testing.T) {
	g := webOf(t, `"controlUi":{"root":"ui/index.html"}`, uiFiles)
	if diff := cmp.Diff(found("image/svg+xml", "<svg/>"), pageOf(ask(g, "GET", "/favicon.svg"))); diff != "" {
		t.Errorf("favicon (-want +got):\n%s", diff)
	}
}

// Parley's own page is where no other one is, and at /parley/ in any case.
func TestOwnPage(t *testing.T) {
	for _, base := range []string{"", "/oc"} {
		for _, root := range []string{"", `,"root":"ui"`} {
			g := webOf(t, `"controlUi":{"basePath":"`+base+`"`+root+`}`, uiFiles)
			for path, own := range map[string]bool{"/": root == "", "/parley/": true} {
				w := ask(g, "GET", base+path)
				if got := strings.Contains(w.Body.String(), "<title>Parley</title>"); w.Code != 200 || got != own {
					t.Errorf("%s%s with %q: %d, our page: %v", base, path, root, w.Code, got)
				}
				policy := w.Header().Get("Content-Security-Policy")
				if own && !strings.Contains(policy, "default-src 'none'") {
					t.Errorf("%s%s: policy %q", base, path, policy)
				}
			}
			if w := ask(g, "GET", base+"/parley"); w.Code != 302 || w.Header().Get("Location") != base+"/parley/" {
				t.Errorf("%s/parley: %d %v", base, w.Code, w.Header())
			}
			if w := ask(g, "GET", base+"/parley/nothing"); w.Code != 404 {
				t.Errorf("%s/parley/nothing: %d", base, w.Code)
			}
		}
	}
	g := webOf(t, `"controlUi":{"enabled":false}`, nil)
	for _, path := range []string{"/", "/parley/"} {
		if w := ask(g, "GET", path); w.Code != 404 {
			t.Errorf("%s, switched off: %d", path, w.Code)
		}
	}
}

func TestControlUIConfig(t *testing.T) {
	for _, c := range []struct{ name, base, agents, want string }{
		{"default", "", ``, `{"basePath":"","assistantName":"Assistant","assistantAvatar":"A","assistantAgentId":"main","serverVersion":"test"}`},
		{"base path", "/oc", ``, `{"basePath":"/oc","assistantName":"Assistant","assistantAvatar":"A","assistantAgentId":"main","serverVersion":"test"}`},
		{"identity", "/oc", `,"agents":{"list":[{"id":"Bea","identity":{"name":"Bea","avatar":"pics/b.png"}}]}`,
			`{"basePath":"/oc","assistantName":"Bea","assistantAvatar":"/oc/avatar/bea","assistantAgentId":"bea","serverVersion":"test"}`},
	} {
		g := webWith(t, `{"gateway":{"controlUi":{"basePath":"`+c.base+`"}}`+c.agents+`}`, nil)
		w := ask(g, "GET", c.base+"/__openclaw/control-ui-config.json")
		if diff := cmp.Diff(found("application/json; charset=utf-8", c.want), pageOf(w)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestAvatars(t *testing.T) {
	const cfg = `{"gateway":{"controlUi":{"basePath":"/oc"}},"agents":{"list":[` +
		`{"id":"file","workspace":"w","identity":{"avatar":"pics/a.png"}},` +
		`{"id":"remote","workspace":"w","identity":{"avatar":"https://x.example/a.png"}},` +
		`{"id":"out","workspace":"w","identity":{"avatar":"../outside.png"}},` +
		`{"id":"text","workspace":"w","identity":{"avatar":"notes/private.txt"}},` +
		`{"id":"emoji","workspace":"e","identity":{"emoji":"🐙"}},` +
		`{"id":"gone","workspace":"w","identity":{"avatar":"pics/gone.png"}}]}}`
	g := webWith(t, cfg, map[string]string{
		"w/pics/a.png": "PNG", "w/notes/private.txt": "private", "outside.png": "secret", "e/IDENTITY.md": "- Avatar: me.webp", "e/me.webp": "WEBP",
	})
	const asJSON = "application/json; charset=utf-8"
	for _, c := range []struct {
		path string
		want page
	}{
		{"/file", found("image/png", "PNG")},
		{"/FILE", found("image/png", "PNG")},
		{"/file?meta=1", found(asJSON, `{"avatarUrl":"/oc/avatar/file"}`)},
		{"/file?meta=2", found("image/png", "PNG")},
		{"/remote", uiMissing},
		{"/remote?meta=1", found(asJSON, `{"avatarUrl":"https://x.example/a.png"}`)},
		{"/out", uiMissing},
		{"/out?meta=1", found(asJSON, `{"avatarUrl":null}`)},
		{"/text", uiMissing},
		{"/text?meta=1", found(asJSON, `{"avatarUrl":null}`)},
		{"/emoji", found("image/webp", "WEBP")},
		{"/gone?meta=1", found(asJSON, `{"avatarUrl":null}`)},
		{"/unknown", uiMissing},
		{"/bad..id", uiMissing},
		{"/bad..id?meta=1", uiMissing},
		{"/", uiMissing},
		{"/-x", uiMissing},
		{"/file/x", uiMissing},
		{"/" + strings.Repeat("a", 65), uiMissing},
	} {
		if diff := cmp.Diff(c.want, pageOf(ask(g, "GET", "/oc/avatar"+c.path))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, diff)
		}
	}
}

// The avatar of the page is no other agent's, and hides none of the default
// agent's own.
func TestAvatarOfThePage(t *testing.T) {
	for _, c := range []struct{ page, own, main string }{
		{"ui.png", "", "UI"},
		{"ui.png", `,"identity":{"avatar":"own.png"}`, "OWN"},
		{"https://x.example/ui.png", `,"identity":{"avatar":"own.png"}`, "OWN"},
		{"https://x.example/ui.png", "", ""},
	} {
		g := webWith(t, `{"ui":{"assistant":{"avatar":"`+c.page+`"}},"agents":{"list":[{"id":"main","default":true,"workspace":"w"`+c.own+`},`+
			`{"id":"z","workspace":"w"}]}}`, map[string]string{"w/ui.png": "UI", "w/own.png": "OWN"})
		want := uiMissing
		if c.main != "" {
			want = found("image/png", c.main)
		}
		if diff := cmp.Diff(want, pageOf(ask(g, "GET", "/avatar/main"))); diff != "" {
			t.Errorf("page %s, own %s (-want +got):\n%s", c.page, c.own, diff)
		}
		if diff := cmp.Diff(uiMissing, pageOf(ask(g, "GET", "/avatar/z"))); diff != "" {
			t.Errorf("page %s, another agent (-want +got):\n%s", c.page, diff)
		}
	}
}

// FuzzFileName: whatever the path, the name is one inside the directory.
func FuzzFileName(f *testing.F) {
	for _, path := range []string{"/", "/a/../..", "/assets/..", "//x", "/a\x00b", "/x/assets/../../y", "/..%2f", `/..\x`} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		name, ok := fileName(path)
		// Names need not be UTF-8, which ValidPath asks for.
		if ok && (!fs.ValidPath(strings.ToValidUTF8(name, "?")) || strings.ContainsRune(name, 0)) {
			t.Errorf("%q gives %q", path, name)
		}
	})
}
