package sessions

import (
	"testing"
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

func FuzzCanonicalIsIdempotent(f *testing.F) {
	for _, s := range []string{"main", "agent:a:b", "agent::", "ΑΣ", "İ", "\ufeffx", "::", "GLOBAL", "agent:a: "} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, key string, global bool) {
		k := Keys{DefaultAgent: "main", Global: global}
		once := k.Canonical(key)
		if twice := k.Canonical(once); twice != once {
			t.Errorf("Canonical(%q) = %q, and of that %q", key, once, twice)
		}
		if agent := k.Agent(once); !validAgentID(agent) && agent != "" && agent[0] != '_' {
			t.Errorf("agent of %q is %q", once, agent)
		}
	})
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
		{"agent:My Agent:x", true}, {"agent:-a:x", true},
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
