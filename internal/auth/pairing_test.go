package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

// Which approval a device needs, and for which silence is enough.
func TestPairingReasons(t *testing.T) {
	base := visitor("d1", "operator.read")
	base.Client.DeviceFamily = "Mac"
	for name, tc := range map[string]struct {
		change func(*Visitor)
		reason string // "" when none is needed
		silent bool   // silence is enough
	}{
		"same":                    {func(*Visitor) {}, "", true},
		"other spelling":          {func(v *Visitor) { v.Client.Platform, v.Client.DeviceFamily = " LINUX", "mac " }, "", true},
		"fewer scopes":            {func(v *Visitor) { v.Scopes = nil }, "", true},
		"other client":            {func(v *Visitor) { v.Client.ID, v.Client.Mode = "test", "test" }, "", true},
		"other key":               {func(v *Visitor) { v.PublicKey = "other" }, "not-paired", true},
		"other platform":          {func(v *Visitor) { v.Client.Platform = "darwin" }, "metadata-upgrade", false},
		"family not told":         {func(v *Visitor) { v.Client.DeviceFamily = "" }, "metadata-upgrade", false},
		"other role":              {func(v *Visitor) { v.Role, v.Scopes = "node", nil }, "role-upgrade", false},
		"more scopes":             {func(v *Visitor) { v.Scopes = []string{"operator.write"} }, "scope-upgrade", true},
		"platform before role":    {func(v *Visitor) { v.Client.Platform, v.Role = "x", "node" }, "metadata-upgrade", false},
		"role before scopes":      {func(v *Visitor) { v.Role, v.Scopes = "node", []string{"y"} }, "role-upgrade", false},
		"key before everything":   {func(v *Visitor) { v.PublicKey, v.Client.Platform, v.Role = "o", "x", "node" }, "not-paired", true},
		"a scope we do not know":  {func(v *Visitor) { v.Scopes = []string{"operator.read", "custom"} }, "scope-upgrade", true},
		"blank scopes are no ask": {func(v *Visitor) { v.Scopes = []string{" "} }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, silent := range []bool{true, false} {
				d := openDevices(t, t.TempDir())
				admitted(t, d, base)
				v := base
				tc.change(&v)
				v.Silent = silent
				a := admit(t, d, v)
				wantIn := tc.reason == "" || tc.silent && silent
				switch {
				case wantIn && a.Refused != nil:
					t.Errorf("silent %v: refused for %s", silent, a.Refused.Reason)
				case !wantIn && (a.Refused == nil || a.Refused.Reason != tc.reason):
					t.Errorf("silent %v: refusal %+v, want %s", silent, a.Refused, tc.reason)
				case wantIn && (a.Resolved != nil) != (tc.reason != ""):
					t.Errorf("silent %v: resolved %+v", silent, a.Resolved)
				}
			}
		})
	}
}

func TestRecordWithoutScopesIsNeverWide(t *testing.T) {
	dir := t.TempDir()
	d := openDevices(t, dir)
	if a := admitted(t, d, visitor("d1")); a.Token != nil {
		t.Error("a token was issued without approved scopes")
	}
	if text := read(t, dir, "paired.json"); strings.Contains(text, "approvedScopes") || strings.Contains(text, `"scopes": [`+"\n      ") {
		t.Errorf("scopes are recorded: %s", text)
	}
	if r := refusedFor(t, d, remote(visitor("d1", "operator.read"))); r.Reason != "scope-upgrade" {
		t.Errorf("reason %s", r.Reason)
	}
}

// What other versions wrote, or a person: a record without roles has its role,
// one without scopes those that were approved, and a blank platform binds
// nobody.
func TestRecordsOfOtherHands(t *testing.T) {
	for name, tc := range map[string]struct {
		record string
		reason string
	}{
		"no roles":               {`"role":"operator","scopes":["operator.read"]`, ""},
		"no scopes":              {`"roles":["operator"],"approvedScopes":["operator.read"]`, ""},
		"scopes that are a text": {`"roles":["operator"],"scopes":"operator.read","approvedScopes":["operator.read"]`, ""},
		"neither":                {`"roles":["operator"]`, "scope-upgrade"},
		"fewer than approved":    {`"roles":["operator"],"scopes":[],"approvedScopes":["operator.read"]`, "scope-upgrade"},
		"blank platform":         {`"roles":["operator"],"scopes":["operator.read"],"platform":" "`, ""},
		"platform that is null":  {`"roles":["operator"],"scopes":["operator.read"],"platform":null`, ""},
		"other platform":         {`"roles":["operator"],"scopes":["operator.read"],"platform":"mac"`, "metadata-upgrade"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, "paired.json", `{"d1":{"deviceId":"d1","publicKey":"key of d1",`+tc.record+`}}`)
			a := admit(t, openDevices(t, dir), remote(visitor("d1", "operator.read")))
			switch {
			case tc.reason == "" && a.Refused != nil:
				t.Errorf("refused for %s", a.Refused.Reason)
			case tc.reason != "" && (a.Refused == nil || a.Refused.Reason != tc.reason):
				t.Errorf("refusal %+v, want %s", a.Refused, tc.reason)
			}
		})
	}
}

// An approval writes the fields of a record in their order, whatever order they
// had or came in, and keeps those that it does not know.
func TestApprovalArrangesTheRecord(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "paired.json", `{"d1":{"later":1,"tokens":{},"publicKey":"key of d1","role":"operator","createdAtMs":5,"platform":"linux"}}`)
	admitted(t, openDevices(t, dir), visitor("d1", "operator.read"))
	o, err := rawjson.Parse(mustRead(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	r, err := rawjson.Parse(o.Get("d1"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range r.All() {
		names = append(names, name)
	}
	want := []string{"deviceId", "publicKey", "platform", "clientId", "clientMode", "role", "roles", "scopes", "approvedScopes", "tokens", "createdAtMs", "approvedAtMs", "later"}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("members (-want +got):\n%s", d)
	}
}

// One request per device: the same again refreshes it, another takes its place
// and stands for both.
func TestPendingRequests(t *testing.T) {
	dir := t.TempDir()
	d := openDevices(t, dir)
	v := remote(visitor("d1", "operator.read"))
	first := refusedFor(t, d, v)
	again := v
	again.Client.DisplayName, again.Scopes = "Ann's", []string{" operator.read", "operator.read"}
	if r := refusedFor(t, d, again); r.RequestID != first.RequestID || r.Requested != nil {
		t.Errorf("the same again: %+v, first %s", r, first.RequestID)
	}
	pending, _, err := d.List()
	if err != nil || len(pending) != 1 {
		t.Fatalf("%d pending, err %v", len(pending), err)
	}
	if o, _ := rawjson.Parse(pending[0]); o.Text("displayName") != "Ann's" {
		t.Error("refreshing did not take the new name")
	}
	node := v
	node.Role, node.Scopes = "node", []string{"camera"}
	r := refusedFor(t, d, node)
	if r.RequestID == first.RequestID || r.Requested == nil {
		t.Fatalf("another ask: %+v", r)
	}
	o, err := rawjson.Parse(r.Requested)
	if err != nil {
		t.Fatal(err)
	}
	roles, _ := texts(o.Get("roles"))
	scopes, _ := texts(o.Get("scopes"))
	if d := cmp.Diff([][]string{{"operator", "node"}, {"operator.read", "camera"}, {"node"}}, [][]string{roles, scopes, {o.Text("role")}}); d != "" {
		t.Errorf("roles, scopes, role (-want +got):\n%s", d)
	}
	if pending, _, _ := d.List(); len(pending) != 1 {
		t.Errorf("%d pending, want 1", len(pending))
	}
	// What a remote client asked for is not approved because a local one came.
	if r := refusedFor(t, d, visitor("d1", "operator.read")); r.Reason != "not-paired" {
		t.Errorf("a local client after a remote one: %+v", r)
	}
}

func TestRequestsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := openDevices(t, dir)
		r := refusedFor(t, d, remote(visitor("d1", "operator.read")))
		time.Sleep(300 * time.Second)
		if pending, _, _ := d.List(); len(pending) != 1 {
			t.Errorf("%d pending after five minutes, want 1", len(pending))
		}
		time.Sleep(time.Millisecond)
		if pending, _, _ := d.List(); len(pending) != 0 {
			t.Errorf("%d pending after more than five minutes, want none", len(pending))
		}
		if _, _, err := d.Approve(r.RequestID, []string{"operator.admin"}); err == nil || err.Error() != "unknown requestId" {
			t.Errorf("approve: %v", err)
		}
		refusedFor(t, d, remote(visitor("d2", "operator.read")))
		if text := read(t, dir, "pending.json"); strings.Contains(text, r.RequestID) {
			t.Error("the next write keeps an expired request")
		}
	})
}

func TestApprove(t *testing.T) {
	d := openDevices(t, t.TempDir())
	r := refusedFor(t, d, remote(visitor("d1", "operator.write", "custom", "operator.pairing")))
	if _, _, err := d.Approve("nope", nil); err == nil || err.Error() != "unknown requestId" {
		t.Errorf("unknown request: %v", err)
	}
	if _, _, err := d.Approve(r.RequestID, []string{"operator.pairing", "operator.read"}); err == nil || err.Error() != "missing scope: operator.write" {
		t.Errorf("approver without the scope: %v", err)
	}
	device, done, err := d.Approve(r.RequestID, []string{"operator.pairing", "operator.write"})
	if err != nil {
		t.Fatal(err)
	}
	if done.RequestID != r.RequestID || done.DeviceID != "d1" || done.Decision != "approved" || done.TS == 0 {
		t.Errorf("resolution %+v", done)
	}
	if text := string(device); strings.Contains(text, `"token"`) || strings.Contains(text, "approvedScopes") || !strings.Contains(text, `"tokens":[{"role":"operator","scopes":["custom","operator.pairing","operator.read","operator.write"]`) {
		t.Errorf("device = %s", text)
	}
	if _, _, err := d.Approve(r.RequestID, []string{"operator.admin"}); err == nil {
		t.Error("a request can be approved twice")
	}
	if a := admitted(t, d, remote(visitor("d1", "operator.read"))); a.Token == nil {
		t.Error("the approved device gets no token")
	}
}

func TestApproveUnites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := openDevices(t, dir)
		old := admitted(t, d, visitor("d1", "operator.read")).Token
		time.Sleep(time.Second)
		node := remote(visitor("d1"))
		node.Role = "node"
		r := refusedFor(t, d, node)
		if _, _, err := d.Approve(r.RequestID, []string{"operator.pairing"}); err != nil {
			t.Fatal(err)
		}
		o, err := rawjson.Parse(rawjson.Value(mustRead(t, dir)))
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := rawjson.Parse(o.Get("d1"))
		rec := record{raw}
		if d := cmp.Diff([]string{"operator", "node"}, rec.roles()); d != "" {
			t.Errorf("roles (-want +got):\n%s", d)
		}
		nodeToken, _ := rec.token("node")
		if d := cmp.Diff([]string{"operator.read"}, nodeToken.scopes()); d != "" {
			t.Errorf("scopes of the new token, none were asked for (-want +got):\n%s", d)
		}
		operatorToken, _ := rec.token("operator")
		if operatorToken.secret() != old.DeviceToken {
			t.Error("the token of the other role was changed")
		}
		if created, approved := millis(raw.Get("createdAtMs")), millis(raw.Get("approvedAtMs")); approved-created != 1000 {
			t.Errorf("created at %d, approved at %d", created, approved)
		}
	})
}

func TestRejectAndRemove(t *testing.T) {
	d := openDevices(t, t.TempDir())
	r := refusedFor(t, d, remote(visitor("d1", "operator.read")))
	if done, err := d.Reject(r.RequestID); err != nil || done.Decision != "rejected" || done.DeviceID != "d1" {
		t.Errorf("reject: %+v, %v", done, err)
	}
	if _, err := d.Reject(r.RequestID); err == nil || err.Error() != "unknown requestId" {
		t.Errorf("reject again: %v", err)
	}
	v := visitor("d1", "operator.read")
	dt := admitted(t, d, v).Token.DeviceToken
	before := d.Endings("d1")
	if id, err := d.Remove(" d1 "); err != nil || id != "d1" {
		t.Errorf("remove: %q, %v", id, err)
	}
	if d.Endings("d1") == before {
		t.Error("the removal is not counted")
	}
	if _, err := d.Remove("d1"); err == nil || err.Error() != "unknown deviceId" {
		t.Errorf("remove again: %v", err)
	}
	if ok, err := d.Verify("d1", "operator", dt, nil); ok || err != nil {
		t.Errorf("the removed device's token: %v, %v", ok, err)
	}
}

// Reconnecting keeps the token, also when asking for less; more scopes give a
// new one; a record keeps what the last connection told.
func TestReconnect(t *testing.T) {
	dir := t.TempDir()
	d := openDevices(t, dir)
	first := admitted(t, d, visitor("d1", "operator.read")).Token
	less := admitted(t, d, visitor("d1")).Token
	if d := cmp.Diff(first, less); d != "" {
		t.Errorf("asking for less (-first +less):\n%s", d)
	}
	more := admitted(t, d, visitor("d1", "operator.read", "operator.write")).Token
	if more.DeviceToken == first.DeviceToken {
		t.Error("more scopes came without a new token")
	}
	if d := cmp.Diff([]string{"operator.read", "operator.write"}, more.Scopes); d != "" {
		t.Errorf("scopes (-want +got):\n%s", d)
	}
	v := visitor("d1", "operator.write")
	v.Client.ID, v.Client.DisplayName, v.Client.Platform = "test", "Bench", "LINUX "
	a := admitted(t, d, v)
	if a.Client.Platform != "linux" {
		t.Errorf("platform %q, want the approved one", a.Client.Platform)
	}
	text := read(t, dir, "paired.json")
	for _, want := range []string{`"clientId": "test"`, `"displayName": "Bench"`, `"platform": "linux"`, `"rotatedAtMs"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the record lacks %s", want)
		}
	}
	admitted(t, d, visitor("d1", "operator.write"))
	if strings.Contains(read(t, dir, "paired.json"), "Bench") {
		t.Error("a name that is no longer told stays")
	}
}

func TestReconnectWritesNothing(t *testing.T) {
	dir := t.TempDir()
	d := openDevices(t, dir)
	admitted(t, d, visitor("d1", "operator.read"))
	path := filepath.Join(dir, "devices", "paired.json")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	admitted(t, d, visitor("d1", "operator.read"))
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Error("a reconnect that changes nothing rewrote the file")
	}
}

func TestUnpairedVisitor(t *testing.T) {
	dir := t.TempDir()
	d := openDevices(t, dir)
	v := visitor("d1", "operator.admin")
	v.Unpaired = true
	if a := admitted(t, d, v); a.Token != nil || a.Resolved != nil {
		t.Errorf("admission %+v", a)
	}
	if _, err := os.Stat(filepath.Join(dir, "devices")); !os.IsNotExist(err) {
		t.Error("a device that needs no record left one")
	}
	v.Unpaired = false
	had := admitted(t, d, v).Token
	v.Unpaired = true
	if a := admitted(t, d, v); a.Token == nil || a.Token.DeviceToken != had.DeviceToken {
		t.Error("a device that has a record does not get its token")
	}
}
