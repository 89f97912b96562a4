package upkeep

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open is a Keeper over a state directory with these files in it; DIR in their
// texts stands for the directory.
func open(t *testing.T, conf string, files map[string]string) Keeper {
	t.Helper()
	dir := t.TempDir()
	prepare(t, dir, files)
	k := openOn(t, dir, conf, nil)
	t.Cleanup(func() {
		if err := k.Stores.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func prepare(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// openOn is a Keeper over a state directory, whose stores the caller closes.
func openOn(t *testing.T, dir, conf string, fs *disk.FS) Keeper {
	t.Helper()
	c, _, err := config.Parse(strings.ReplaceAll(conf, "DIR", dir), config.Options{Path: filepath.Join(dir, "parley.json"), StateDir: dir, HomeDir: dir, WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	k := Keeper{Config: c, Log: log, Records: NewRecords(fs), Transcripts: transcript.New(transcript.Options{StateDir: dir, Home: dir, Log: log, Disk: fs})}
	if k.Stores, err = sessions.OpenStores(sessions.Options{Config: c, Log: log, Removed: k.ArchiveRemoved, Swept: k.Swept, Disk: fs}); err != nil {
		t.Fatal(err)
	}
	return k
}

// list are the files of the state directory, those that we keep beside a store,
// the one that a checkpoint is writing among them,
// and the times of archives left out.
func (k Keeper) list(t *testing.T) []string {
	t.Helper()
	// Else a store may just be writing its file.
	for _, st := range k.Stores.All() {
		if _, err := os.Stat(st.Path()); err != nil {
			continue
		}
		if err := st.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	err := filepath.WalkDir(k.Config.StateDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(k.Config.StateDir, path)
		if of, reason, _, ok := transcript.ArchiveName(name); ok {
			name = of + "." + reason
		}
		if !slices.Contains([]string{".flock", ".journal", ".lock", ".tmp"}, filepath.Ext(name)) {
			out = append(out, strings.TrimPrefix(name, "agents/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const head = `{"type":"session","version":3,"id":"x"}` + "\n"

func TestCleanupArchivesWhatNobodyUses(t *testing.T) {
	k := open(t, `{agents: {list: [{id: "main"}, {id: "ops"}]}}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:old":{"sessionId":"s-old","updatedAt":1},"agent:main:shared":{"sessionId":"s-new","updatedAt":1},
			"agent:main:far":{"sessionId":"s-far","updatedAt":1,"sessionFile":"DIR/agents/ops/sessions/s-far.jsonl"},"agent:main:new":{"sessionId":"s-new","updatedAt":99999999999999}}`,
		"agents/main/sessions/s-old.jsonl": head, "agents/main/sessions/s-new.jsonl": head, "agents/ops/sessions/s-far.jsonl": head,
	})
	r, gone, err := k.Cleanup(t.Context(), protocol.SessionsCleanupParams{Enforce: true})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(gone)
	if want := []string{"agent:main:far", "agent:main:old", "agent:main:shared"}; !slices.Equal(gone, want) || r.Stores[0].Pruned != 3 {
		t.Errorf("gone %v, %+v", gone, r)
	}
	want := []string{"main/sessions/s-new.jsonl", "main/sessions/s-old.jsonl.deleted", "main/sessions/sessions.json", "ops/sessions/s-far.jsonl"}
	if got := k.list(t); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

// A transcript counts as there wherever a reader of the session finds it.
func TestCleanupOfEntriesWithoutATranscript(t *testing.T) {
	k := open(t, `{}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:main":{"sessionId":"none"},"agent:main:none":{"sessionId":"none"},"agent:main:bad":{"sessionId":"../x"},"agent:main:bare":{},
			"agent:main:here":{"sessionId":"s-here"},"agent:main:custom":{"sessionId":"s-none","sessionFile":"sub/custom.jsonl"},"agent:main:legacy":{"sessionId":"s-legacy"}}`,
		"agents/main/sessions/s-here.jsonl": head, "agents/main/sessions/sub/custom.jsonl": head, ".openclaw/sessions/s-legacy.jsonl": head,
	})
	for _, dry := range []bool{true, false} {
		r, gone, err := k.Cleanup(t.Context(), protocol.SessionsCleanupParams{FixMissing: true, DryRun: dry, Actions: true})
		if err != nil {
			t.Fatal(err)
		}
		if st := r.Stores[0]; st.Missing != 2 || st.AfterCount != 5 || st.Mode != "warn" || !st.WouldMutate {
			t.Errorf("dry %v: %+v", dry, st)
		}
		if want := []string{"agent:main:none", "agent:main:bad"}; !dry && !slices.Equal(gone, want) || dry && gone != nil {
			t.Errorf("dry %v: gone %v", dry, gone)
		}
	}
}

func TestCleanupTargets(t *testing.T) {
	const two = `{agents: {list: [{id: "main"}, {id: "ops", default: true}]}}`
	found := map[string]string{"agents/found/sessions/sessions.json": `{"agent:found:x":{}}`}
	usual := func(agents ...string) (out []string) {
		for _, a := range agents {
			out = append(out, a+" DIR/agents/"+a+"/sessions/sessions.json")
		}
		return out
	}
	for _, tt := range []struct {
		name, conf string
		p          protocol.SessionsCleanupParams
		want       []string
		err        string
	}{
		{name: "default agent", conf: two, want: usual("ops")},
		{name: "none configured", conf: `{}`, want: usual("main")},
		{name: "agent", conf: two, p: protocol.SessionsCleanupParams{Agent: " Main "}, want: usual("main")},
		{name: "found agent", conf: two, p: protocol.SessionsCleanupParams{Agent: "found"}, want: usual("found")},
		{name: "all", conf: two, p: protocol.SessionsCleanupParams{AllAgents: true}, want: usual("main", "ops", "found")},
		{name: "path", conf: two, p: protocol.SessionsCleanupParams{Store: "DIR/agents/main/../found/sessions/sessions.json"}, want: usual("found")},
		{name: "path by a link", conf: two, p: protocol.SessionsCleanupParams{Store: "DIR/link/found/sessions/sessions.json"}, want: usual("found")},
		{name: "fixed store", conf: `{session: {store: "DIR/one.json"}}`, want: []string{"main DIR/one.json"}},
		{name: "fixed store, all", conf: `{session: {store: "DIR/one.json"}}`, p: protocol.SessionsCleanupParams{AllAgents: true}, want: []string{"main DIR/one.json"}},
		{name: "fixed store, agent", conf: `{session: {store: "DIR/one.json"}, agents: {list: [{id: "main"}, {id: "ops"}]}}`,
			p: protocol.SessionsCleanupParams{Agent: "ops"}, want: []string{"ops DIR/one.json"}},
		{name: "unknown", conf: two, p: protocol.SessionsCleanupParams{Agent: "Nobody"}, err: `Unknown agent id "Nobody". Use "parley call agents.list" to see configured agents.`},
		{name: "unknown, fixed store", conf: `{session: {store: "DIR/one.json"}}`, p: protocol.SessionsCleanupParams{Agent: "ops"},
			err: `Unknown agent id "ops". Use "parley call agents.list" to see configured agents.`},
		{name: "foreign path", conf: two, p: protocol.SessionsCleanupParams{Store: "/etc/passwd"}, err: "/etc/passwd is no session store of this gateway"},
		{name: "agent and all", conf: two, p: protocol.SessionsCleanupParams{Agent: "main", AllAgents: true}, err: "agent and allAgents cannot be used together"},
		{name: "store and agent", conf: two, p: protocol.SessionsCleanupParams{Store: "x", Agent: "main"}, err: "store cannot be combined with agent or allAgents"},
		{name: "store and all", conf: two, p: protocol.SessionsCleanupParams{Store: "x", AllAgents: true}, err: "store cannot be combined with agent or allAgents"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := open(t, tt.conf, found)
			dir := k.Config.StateDir
			if err := os.Symlink(filepath.Join(dir, "agents"), filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			tt.p.Store = strings.ReplaceAll(tt.p.Store, "DIR", dir)
			r, _, err := k.Cleanup(t.Context(), tt.p)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			var got []string
			for _, st := range r.Stores {
				got = append(got, st.AgentID+" "+strings.ReplaceAll(st.StorePath, dir, "DIR"))
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("stores %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// A bare active key belongs to the agent whose store is cleaned.
func TestCleanupKeepsTheActiveSession(t *testing.T) {
	for _, tt := range []struct{ active, agent, want string }{
		{"", "ops", "[agent:ops:a agent:ops:b]"}, {"A", "ops", "[agent:ops:b]"}, {"agent:ops:a", "ops", "[agent:ops:b]"}, {"agent:main:a", "ops", "[agent:ops:a agent:ops:b]"},
	} {
		k := open(t, `{agents: {list: [{id: "main"}, {id: "ops"}]}}`, map[string]string{
			"agents/ops/sessions/sessions.json": `{"agent:ops:a":{"updatedAt":2},"agent:ops:b":{"updatedAt":1}}`,
		})
		_, gone, err := k.Cleanup(t.Context(), protocol.SessionsCleanupParams{Agent: tt.agent, ActiveKey: tt.active, Enforce: true})
		slices.Sort(gone)
		if got := fmt.Sprint(gone); got != tt.want || err != nil {
			t.Errorf("active %q: gone %s, %v, want %s", tt.active, got, err, tt.want)
		}
	}
}

func TestResultJSON(t *testing.T) {
	k := open(t, `{session: {maintenance: {maxDiskBytes: 1000}}, agents: {defaults: {model: "p/m"}, list: [{id: "main"}, {id: "ops"}]}}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:a":{"updatedAt":1.5e3,"sessionId":"s","thinkingLevel":"high","abortedLastRun":true}}`,
	})
	const budget = `{"totalBytesBefore":2,"totalBytesAfter":2,"removedFiles":0,"removedEntries":0,"freedBytes":0,"maxBytes":1000,"highWaterBytes":800,"overBudget":false}`
	path := func(agent string) string { return k.Config.StateDir + "/agents/" + agent + "/sessions/sessions.json" }
	main := `{"agentId":"main","storePath":"` + path("main") + `","mode":"warn","dryRun":true,"beforeCount":1,"afterCount":0,"missing":0,"pruned":1,"capped":0,"diskBudget":` + budget + `,"wouldMutate":true`
	ops := `{"agentId":"ops","storePath":"` + path("ops") + `","mode":"warn","dryRun":true,"beforeCount":0,"afterCount":0,"missing":0,"pruned":0,"capped":0,"diskBudget":` + budget + `,"wouldMutate":false}`
	for _, tt := range []struct {
		p    protocol.SessionsCleanupParams
		want string
	}{
		{protocol.SessionsCleanupParams{DryRun: true}, main + `}`},
		{protocol.SessionsCleanupParams{DryRun: true, Actions: true},
			main + `,"actions":[{"key":"agent:main:a","action":"prune-stale","updatedAt":1.5e3,"model":"m","flags":["think:high","aborted","id:s"]}]}`},
		{protocol.SessionsCleanupParams{DryRun: true, AllAgents: true}, `{"allAgents":true,"mode":"warn","dryRun":true,"stores":[` + main + `},` + ops + `]}`},
		{protocol.SessionsCleanupParams{Agent: "ops", Enforce: true},
			strings.NewReplacer("warn", "enforce", `"dryRun":true`, `"dryRun":false`, `"wouldMutate":false`, `"wouldMutate":false,"applied":true,"appliedCount":0`).Replace(ops)},
	} {
		r, _, err := k.Cleanup(t.Context(), tt.p)
		if err != nil {
			t.Fatal(err)
		}
		text := rawjson.MustMarshal(r)
		if diff := cmp.Diff(tt.want, string(text)); diff != "" {
			t.Errorf("%+v:\n%s", tt.p, diff)
		}
		var back Result
		if err := rawjson.Unmarshal(text, &back); err != nil || string(rawjson.MustMarshal(back)) != string(text) {
			t.Errorf("read back as %+v, %v", back, err)
		}
	}
}

func TestDropStray(t *testing.T) {
	k := open(t, `{}`, map[string]string{
		"agents/main/sessions/sessions.json": `{"agent:main:same":{"sessionId":"same"},"agent:main:new":{"sessionId":"new"},"agent:main:user":{"sessionId":"used"}}`,
		"agents/main/sessions/same.jsonl":    head, "agents/main/sessions/old.jsonl": head, "agents/main/sessions/used.jsonl": head,
		"agents/main/sessions/spoken.jsonl": said("x"), "agents/main/sessions/gone.jsonl": head,
	})
	for key, made := range map[string]string{
		"agent:main:same": `{"sessionId":"same"}`, "agent:main:new": `{"sessionId":"old"}`, "agent:main:a": `{"sessionId":"used"}`,
		"agent:main:b": `{"sessionId":"spoken"}`, "agent:main:c": `{"sessionId":"gone"}`, "agent:main:d": `{"sessionId":"none"}`, "agent:main:e": `{}`,
	} {
		k.DropStray(k.main(t), key, entryOf(t, made))
	}
	want := []string{"main/sessions/same.jsonl", "main/sessions/sessions.json", "main/sessions/spoken.jsonl", "main/sessions/used.jsonl"}
	if got := k.list(t); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}
