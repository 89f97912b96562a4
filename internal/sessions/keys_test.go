package sessions

import (
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/jstext"
)

func TestCanonical(t *testing.T) {
	perSender := Keys{DefaultAgent: "home"}
	global := Keys{DefaultAgent: "home", Global: true}
	for _, tt := range []struct{ in, want, wantGlobal string }{
		{"main", "agent:home:main", "global"},
		{" MAIN\t", "agent:home:main", "global"},
		{"global", "global", "global"},
		{"Unknown", "unknown", "unknown"},
		{"Foo:Bar", "agent:home:foo:bar", "agent:home:foo:bar"},
		{"0", "agent:home:0", "agent:home:0"},
		{"cron:j", "agent:home:cron:j", "agent:home:cron:j"},
		{"Agent:Ops:Main", "agent:ops:main", "global"},
		{"agent:home:main", "agent:home:main", "global"},
		{"agent:My Agent:X", "agent:my agent:x", "agent:my agent:x"},
		{"agent:home::main", "agent:home::main", "agent:home::main"},
		{"agent:ops", "agent:ops", "agent:ops"},
		{"agent::x", "agent::x", "agent::x"},
		{"ÀÉ", "agent:home:àé", "agent:home:àé"},
		{"a b", "agent:home:a b", "agent:home:a b"},
		{":agent:x:y", ":agent:x:y", ":agent:x:y"},
	} {
		if got := perSender.Canonical(tt.in); got != tt.want {
			t.Errorf("Canonical(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if got := global.Canonical(tt.in); got != tt.wantGlobal {
			t.Errorf("global scope: Canonical(%q) = %q, want %q", tt.in, got, tt.wantGlobal)
		}
	}
}

// FuzzKeys: whatever a client or a file says, and whatever the default agent
// and the scope are, a key has one meaning, and its text says which.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"main", "agent:a:b", "agent::", "ΑΣ", "agent:a:Σ", "İ", "\ufeffx", "::", "GLOBAL", "agent:a: ", "Agent:My Agent:X", "agent:ops:main", ":Agent:0:0", "::agent:x"} {
		f.Add(s, "main", true)
		f.Add(s, "Home Team", false)
	}
	f.Fuzz(func(t *testing.T, key, agent string, global bool) {
		k := Keys{DefaultAgent: NormalizeAgentID(agent), Global: global}
		canonical := k.Canonical(key)
		checkKey(t, k, canonical)
		if again := k.Canonical(" " + canonical + "\t"); again != canonical {
			t.Errorf("Canonical(%q) = %q, and of that %q", key, canonical, again)
		}
		if canonical != jstext.Lower(canonical) {
			t.Errorf("Canonical(%q) = %q, which is not in lower case", key, canonical)
		}
		if again := stored(canonical, "other"); again != canonical && !Malformed(canonical) {
			t.Errorf("the canonical key %q means %q in a file", canonical, again)
		}
	})
}

// FuzzStoredKeys is the same for keys as they stand in a file.
func FuzzStoredKeys(f *testing.F) {
	for _, s := range []string{"main", "MAIN", "agent:a:b", "AGENT:a", "ΑΣ", "İ", " x ", "", "Global", "agent:a:main"} {
		f.Add(s, "main", true)
		f.Add(s, "ops", false)
	}
	f.Fuzz(func(t *testing.T, key, agent string, global bool) {
		agent = NormalizeAgentID(agent)
		k := Keys{DefaultAgent: agent, Global: global}
		meaning := stored(key, agent)
		spaced := meaning != jstext.Trim(meaning) // no client can ask for it
		if !spaced {
			checkKey(t, k, meaning)
		}
		if again := stored(meaning, "other"); again != meaning {
			t.Errorf("%q means %q, and that means %q", key, meaning, again)
		}
		// What a list shows can be asked for, but for the aliases of "global".
		if asked := k.Canonical(meaning); asked != meaning && !spaced && asked != globalKey {
			t.Errorf("%q is listed as %q, and that asks for %q", key, meaning, asked)
		}
		by := k.spawner(key, agent)
		if again := k.spawner(by, "other"); again != by {
			t.Errorf("spawnedBy %q means %q, and that means %q", key, by, again)
		}
	})
}

// checkKey checks what holds for every key that means a session.
func checkKey(t *testing.T, k Keys, key string) {
	t.Helper()
	owner := k.Agent(key)
	if NormalizeAgentID(owner) != owner || owner == "" {
		t.Errorf("the agent of %q is %q", key, owner)
	}
	agent, rest, ok := ParseKey(key)
	switch {
	case Malformed(key):
		if !strings.HasPrefix(strings.TrimLeft(key, ":"), "agent:") {
			t.Errorf("%q is malformed", key)
		}
	case key == globalKey || key == unknownKey:
		if ok || owner != k.DefaultAgent || Rest(key) != key {
			t.Errorf("%q has the agent %q and the rest %q", key, owner, Rest(key))
		}
	case !ok || key != "agent:"+agent+":"+rest || agent != owner || Rest(key) != rest:
		if strings.HasPrefix(key, "agent:"+k.DefaultAgent+":") && !validAgentID(k.DefaultAgent) {
			return // "_x" is the one id that is normal and not valid
		}
		t.Errorf("%q is read as agent %q and rest %q, its agent is %q", key, agent, rest, owner)
	}
}

func TestNormalizeAgentID(t *testing.T) {
	long := "a23456789b23456789c23456789d23456789e23456789f23456789g23456789h2345"
	for _, tt := range []struct{ in, want string }{
		{"", "main"}, {"  ", "main"}, {"Ops", "ops"}, {"Home Team", "home-team"}, {" a--b ", "a--b"}, {"-x-", "x"},
		{"ä ö", "main"}, {"a/../b", "a-b"}, {"_x", "_x"}, {long, long[:64]}, {"K", "k"}, {"!!!", "main"},
	} {
		got := NormalizeAgentID(tt.in)
		if got != tt.want {
			t.Errorf("NormalizeAgentID(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if again := NormalizeAgentID(got); again != got {
			t.Errorf("NormalizeAgentID(%q) = %q", got, again)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, tt := range []struct {
		key  string
		want bool
	}{
		{"main", false}, {"agent:ops:x", false}, {"AGENT:Ops:X:y", false}, {"x::y", false}, {"agents", false},
		{"agent:ops", true}, {"agent:", true}, {"agent::x", true}, {"agent:main::main", true}, {"agent:a:b:", true},
		{"agent:My Agent:x", true}, {"agent:-a:x", true}, {":agent:x:y", true}, {"::Agent:x:y", true}, {":agent:x", false}, {":x:agent:y", false},
	} {
		if got := Malformed(tt.key); got != tt.want {
			t.Errorf("Malformed(%q) = %v, want %v", tt.key, got, tt.want)
		}
	}
}

func TestFamilies(t *testing.T) {
	for _, tt := range []struct {
		key             string
		cron, spawned   bool
		channel, id     string
		isGroup, lookID bool
	}{
		{key: "agent:main:cron:j:run:7", cron: true},
		{key: "agent:main:cron:j:run:7:x"},
		{key: "agent:main:cron:j"},
		{key: "cron:j:run:7"},
		{key: "agent:main:subagent:a", spawned: true},
		{key: "subagent:a", spawned: true},
		{key: "agent:main:acp:a", spawned: true},
		{key: "agent:main:slack:channel:c1:x", channel: "slack", id: "c1:x", isGroup: true},
		{key: "agent:main:group:z", isGroup: true},
		{key: "agent:main:a:b:group:q", isGroup: true},
	} {
		if got := CronRun(tt.key); got != tt.cron {
			t.Errorf("CronRun(%q) = %v", tt.key, got)
		}
		if got := Spawned(tt.key); got != tt.spawned {
			t.Errorf("Spawned(%q) = %v", tt.key, got)
		}
		if got := GroupKey(tt.key); got != tt.isGroup {
			t.Errorf("GroupKey(%q) = %v", tt.key, got)
		}
		channel, id, _ := GroupChannel(tt.key)
		if channel != tt.channel || id != tt.id {
			t.Errorf("GroupChannel(%q) = %q, %q, want %q, %q", tt.key, channel, id, tt.channel, tt.id)
		}
	}
}

func TestCreateKey(t *testing.T) {
	k := Keys{DefaultAgent: "main"}
	for _, tt := range []struct{ key, agent, want, fault string }{
		{"K", "", "agent:main:k", ""},
		{"K", "ops", "agent:ops:k", ""},
		{"main", "ops", "agent:ops:main", ""},
		{"global", "ops", "global", ""},
		{"agent:ops:k", "OPS", "agent:ops:k", ""},
		{"agent:ops:k", "", "agent:ops:k", ""},
		{"agent:ops:k", "main", "", "sessions.create key agent (ops) does not match agentId (main)"},
		{"agent:ops", "", "", `malformed session key "agent:ops"`},
		{"agent:a b:c", "", "", `malformed session key "agent:a b:c"`},
		{":agent:x:y", "", "", `malformed session key ":agent:x:y"`},
	} {
		got, err := k.CreateKey(tt.key, tt.agent)
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if got != tt.want || fault != tt.fault {
			t.Errorf("CreateKey(%q, %q) = %q, %q; want %q, %q", tt.key, tt.agent, got, fault, tt.want, tt.fault)
		}
	}
	if got, err := k.CreateKey(" ", "Fresh Agent"); err != nil || len(got) != len("agent:fresh-agent:dashboard:")+36 {
		t.Errorf("without a key: %q, %v", got, err)
	}
}
