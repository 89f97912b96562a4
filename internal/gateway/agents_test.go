package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/schemas"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// configured is a gateway that has only a configuration, over a state
// directory with these files. ROOT in the configuration is that directory.
func configured(t *testing.T, cfg string, files map[string]string) *Gateway {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Parse(strings.ReplaceAll(cfg, "ROOT", dir), config.Options{StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return &Gateway{live: config.NewLive(c)}
}

// encoded is what goes to the wire for a handler's result, checked against the
// schema of that name when there is one.
func encoded(t *testing.T, schema string, result any, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	out := rawjson.MustMarshal(result)
	if schema == "" {
		return string(out)
	}
	text, err := schemas.FS.ReadFile(schema + ".json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schema, doc); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MustCompile(schema).Validate(value); err != nil {
		t.Errorf("%s breaks %s: %v", out, schema, err)
	}
	return string(out)
}

func TestAgentsList(t *testing.T) {
	tests := []struct {
		name, cfg string
		files     map[string]string
		want      string
	}{
		{"nothing", `{}`, nil, `{"defaultId":"main","mainKey":"main","scope":"per-sender","agents":[{"id":"main"}]}`},
		{"global", `{session: {scope: "global", mainKey: "work"}}`, nil, `{"defaultId":"main","mainKey":"main","scope":"global","agents":[{"id":"main"}]}`},
		{"directories", `{}`, map[string]string{"agents/zed/x": "", "agents/Home Team/x": "", "agents/main/x": "", "agents/file": ""},
			`{"defaultId":"main","mainKey":"main","scope":"per-sender","agents":[{"id":"main"},{"id":"home-team"},{"id":"zed"}]}`},
		{"configured ones hide directories", `{agents: {list: [{id: "Ops"}, {id: "Home Team", default: true}, {id: "ops"}, {id: "b", name: " Bee "}]}}`, map[string]string{"agents/zed/x": ""},
			`{"defaultId":"home-team","mainKey":"main","scope":"per-sender","agents":[{"id":"home-team"},{"id":"b","name":"Bee"},{"id":"ops"}]}`},
		{"identities", `{agents: {list: [{id: "a", identity: {}}, {id: "b", identity: {name: " Bee ", theme: " ", emoji: "🐝", avatar: "https://x/b.png"}}]}}`, nil,
			`{"defaultId":"a","mainKey":"main","scope":"per-sender","agents":[{"id":"a","identity":{}},{"id":"b","identity":{"name":"Bee","emoji":"🐝","avatar":"https://x/b.png","avatarUrl":"https://x/b.png"}}]}`},
		{"one id twice", `{agents: {list: [{id: "a", name: "A", identity: {name: "one"}}, {id: " A ", name: "B"}]}}`, nil,
			`{"defaultId":"a","mainKey":"main","scope":"per-sender","agents":[{"id":"a","name":"B"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := configured(t, tt.cfg, tt.files).agentsList(t.Context(), nil, protocol.NoParams{})
			if diff := cmp.Diff(tt.want, encoded(t, "_result.agents.list", r, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAvatarURL(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("ws/pic.png", "PNG")
	put("ws/deep/p.JPG", "JPG")
	put("ws/other", "x")
	put("ws/big.png", strings.Repeat("x", 2<<20+1))
	put("ws/full.png", strings.Repeat("x", 2<<20))
	put("out.png", "secret")
	for _, l := range [][2]string{{"../out.png", "ws/link.png"}, {"pic.png", "ws/inner.png"}} {
		if err := os.Symlink(l[0], filepath.Join(dir, l[1])); err != nil {
			t.Fatal(err)
		}
	}
	const png, jpg = "data:image/png;base64,UE5H", "data:image/jpeg;base64,SlBH"
	for avatar, want := range map[string]string{
		"": "", "https://x/y": "https://x/y", "HTTP://x/y": "HTTP://x/y", "data:text/plain,x": "data:text/plain,x",
		"pic.png": png, "./pic.png": png, "deep/../pic.png": png, "deep/p.JPG": jpg, dir + "/ws/pic.png": png, "inner.png": png, "other": "data:application/octet-stream;base64,eA==",
		"../out.png": "", dir + "/out.png": "", "link.png": "", "gone.png": "", "deep": "", "~/pic.png": "", "file:pic.png": "", "🦊": "", "big.png": "",
	} {
		if got := avatarURL(dir+"/ws", avatar); got != want {
			t.Errorf("avatarURL(%q) = %.60q, want %q", avatar, got, want)
		}
	}
	if got := avatarURL(dir+"/ws", "full.png"); len(got) < 2<<20 {
		t.Errorf("a picture of exactly the limit is left out: %.60q", got)
	}
	if got := avatarURL(dir+"/gone", "pic.png"); got != "" {
		t.Errorf("without a workspace: %q", got)
	}
}

func TestAgentIdentityGet(t *testing.T) {
	const agents = `agents: {list: [{id: "zed", identity: {name: "Zee", emoji: "🦊", avatar: "https://a/z.png"}}, {id: "ops", default: true, workspace: "ROOT/ws", identity: {avatar: "pic.png"}}, {id: "Home Team"}]}`
	g := configured(t, `{`+agents+`, gateway: {controlUi: {basePath: "/ui/"}}}`, map[string]string{"ws/IDENTITY.md": "- Name: Filename\n- Emoji: 🐙\n"})
	const ops, zed = `{"agentId":"ops","name":"Filename","avatar":"/ui/avatar/ops","emoji":"🐙"}`, `{"agentId":"zed","name":"Zee","avatar":"https://a/z.png","emoji":"🦊"}`
	tests := []struct{ id, key, want string }{
		{"", "", ops}, {" ", "  ", ops}, {" ZED ", "", zed}, {"nobody", "", `{"agentId":"nobody","name":"Assistant","avatar":"A"}`},
		{"", "agent:zed:x", zed}, {"", "Agent:ZED:x", zed}, {"zed", "agent:zed:x", zed}, {"Home Team", "agent:home team:x", `{"agentId":"home-team","name":"Assistant","avatar":"A"}`},
		{"", "bare", ops}, {"", "global", ops}, {"ops", "bare", ops},
		{"ops", "agent:zed:x", `invalid agent.identity.get params: agent "ops" does not match session key agent "zed"`},
		{" Ops ", "agent:zed:x", `invalid agent.identity.get params: agent "Ops" does not match session key agent "zed"`},
		{"zed", "bare", `invalid agent.identity.get params: agent "zed" does not match session key agent "ops"`},
		{"", "agent:bad", `invalid agent.identity.get params: malformed session key "agent:bad"`},
		{"", " AGENT::x ", `invalid agent.identity.get params: malformed session key "AGENT::x"`},
	}
	for _, tt := range tests {
		r, err := g.agentIdentityGet(t.Context(), nil, protocol.AgentIdentityGetParams{AgentID: tt.id, SessionKey: tt.key})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = encoded(t, "_result.agent.identity.get", r, nil)
		}
		if got != tt.want {
			t.Errorf("agentId %q, sessionKey %q\n got %s\nwant %s", tt.id, tt.key, got, tt.want)
		}
	}
}

func TestAssistant(t *testing.T) {
	long := strings.Repeat("é", 60)
	tests := []struct {
		name      string
		ui        config.UI
		own, file config.Identity
		want      assistant
	}{
		{"nothing", config.UI{}, config.Identity{}, config.Identity{}, assistant{"Assistant", "A", ""}},
		{"page first", config.UI{AssistantName: "Page", AssistantAvatar: "P"}, config.Identity{Name: "Own", Avatar: "O"}, config.Identity{}, assistant{"Page", "P", ""}},
		{"own before file", config.UI{}, config.Identity{Name: "Own", Emoji: "🦊"}, config.Identity{Name: "File", Emoji: "🐙", Avatar: "f.png"}, assistant{"Own", "🦊", "🦊"}},
		{"file", config.UI{}, config.Identity{}, config.Identity{Name: "File", Emoji: "🐙", Avatar: "f.png"}, assistant{"File", "f.png", "🐙"}},
		{"long name", config.UI{AssistantName: long}, config.Identity{}, config.Identity{}, assistant{strings.Repeat("é", 50), "A", ""}},
		{"unusable avatars are passed over", config.UI{AssistantAvatar: "a word"}, config.Identity{Avatar: "fives", Emoji: "a b"}, config.Identity{Emoji: "ok"}, assistant{"Assistant", "ok", ""}},
		{"four units, not five", config.UI{AssistantAvatar: "🦊🦊🦊"}, config.Identity{Avatar: "🦊🦊"}, config.Identity{}, assistant{"Assistant", "🦊🦊", "🦊🦊"}},
		{"avatars as emoji", config.UI{}, config.Identity{Avatar: "é.png"}, config.Identity{Avatar: "ä"}, assistant{"Assistant", "é.png", "ä"}},
		{"long avatar is cut", config.UI{AssistantAvatar: "x/" + strings.Repeat("y", 300)}, config.Identity{}, config.Identity{}, assistant{"Assistant", "x/" + strings.Repeat("y", 198), ""}},
		{"long emoji is cut", config.UI{}, config.Identity{Emoji: strings.Repeat("🦊", 9)}, config.Identity{}, assistant{"Assistant", "A", strings.Repeat("🦊", 8)}},
		{"addresses and paths are no emoji", config.UI{}, config.Identity{Emoji: "http://é", Avatar: "é/x"}, config.Identity{}, assistant{"Assistant", "é/x", ""}},
		{"data image", config.UI{AssistantAvatar: "data:image/png;base64,AA"}, config.Identity{}, config.Identity{}, assistant{"Assistant", "data:image/png;base64,AA", ""}},
		{"icon by its ending", config.UI{AssistantAvatar: "face.ICO"}, config.Identity{}, config.Identity{}, assistant{"Assistant", "face.ICO", ""}},
	}
	for _, tt := range tests {
		if got := newAssistant(tt.ui, tt.own, tt.file); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestFileIdentity(t *testing.T) {
	for text, want := range map[string]config.Identity{
		"":                                 {},
		"Name: Bob":                        {Name: "Bob"},
		"- **Name:** *Bob*\r\n- EMOJI : 🐙": {Name: "Bob", Emoji: "🐙"},
		"  -  _Avatar_: a/b.png \nTheme: dark: blue": {Avatar: "a/b.png", Theme: "dark: blue"},
		"Name:\nName: A\nname: B\nNickname: C":       {Name: "B"},
		"no colon\n- Creature: cat\n":                {},
		"- Name: _(Pick  something you like)_\n- Emoji: *your signature – pick one that feels right*":    {},
		"- Avatar: (workspace-relative path, http(s) URL, or data URI)\n- Name: (Bob)\n- Theme: pick it": {Name: "(Bob)", Theme: "pick it"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "IDENTITY.md"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := fileIdentity(dir); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
	if got := fileIdentity(filepath.Join(t.TempDir(), "gone")); got != (config.Identity{}) {
		t.Errorf("without a workspace: %+v", got)
	}
}
