package protocol

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

// The struct that mirrors each schema. A new schema needs a line here.
var paramsOf = map[string]any{
	"agent":                         AgentParams{},
	"agent.identity.get":            AgentIdentityGetParams{},
	"agent.wait":                    AgentWaitParams{},
	"agents.list":                   NoParams{},
	"channels.status":               ChannelsStatusParams{},
	"chat.abort":                    ChatAbortParams{},
	"chat.history":                  ChatHistoryParams{},
	"chat.inject":                   ChatInjectParams{},
	"chat.send":                     ChatSendParams{},
	"config.apply":                  ConfigApplyParams{},
	"config.get":                    NoParams{},
	"config.patch":                  ConfigApplyParams{},
	"config.schema":                 NoParams{},
	"config.schema.lookup":          ConfigSchemaLookupParams{},
	"config.set":                    ConfigSetParams{},
	"connect":                       ConnectParams{},
	"device.pair.approve":           DevicePairRequestParams{},
	"device.pair.list":              NoParams{},
	"device.pair.reject":            DevicePairRequestParams{},
	"device.pair.remove":            DevicePairRemoveParams{},
	"device.token.revoke":           DeviceTokenRevokeParams{},
	"device.token.rotate":           DeviceTokenRotateParams{},
	"exec.approval.list":            NoParams{},
	"exec.approval.resolve":         ExecApprovalResolveParams{},
	"gateway.identity.get":          NoParams{},
	"health":                        HealthParams{},
	"last-heartbeat":                NoParams{},
	"logs.tail":                     LogsTailParams{},
	"models.list":                   NoParams{},
	"node.list":                     NoParams{},
	"node.pair.list":                NoParams{},
	"sessions.abort":                SessionsAbortParams{},
	"doctor":                        DoctorParams{},
	"sessions.archives":             SessionsArchivesParams{},
	"sessions.cleanup":              SessionsCleanupParams{},
	"sessions.compact":              SessionsCompactParams{},
	"sessions.create":               SessionsCreateParams{},
	"sessions.delete":               SessionsDeleteParams{},
	"sessions.describe":             SessionsDescribeParams{},
	"sessions.export":               SessionsExportParams{},
	"sessions.fork":                 SessionsForkParams{},
	"sessions.get":                  SessionsGetParams{},
	"sessions.import":               SessionsImportParams{},
	"sessions.import.part":          SessionsImportPartParams{},
	"sessions.list":                 SessionsListParams{},
	"sessions.messages.subscribe":   SessionKeyParams{},
	"sessions.messages.unsubscribe": SessionKeyParams{},
	"sessions.patch":                SessionsPatchParams{},
	"sessions.patchMany":            SessionsPatchManyParams{},
	"sessions.preview":              SessionsPreviewParams{},
	"sessions.reset":                SessionsResetParams{},
	"sessions.resolve":              SessionsResolveParams{},
	"sessions.restore":              SessionsRestoreParams{},
	"sessions.send":                 SessionsSendParams{},
	"sessions.steer":                SessionsSendParams{},
	"sessions.subscribe":            NoParams{},
	"sessions.unsubscribe":          NoParams{},
	"sessions.usage":                SessionsUsageParams{},
	"sessions.usage.logs":           SessionsUsageLogsParams{},
	"sessions.usage.timeseries":     SessionsUsageTimeseriesParams{},
	"set-heartbeats":                SetHeartbeatsParams{},
	"status":                        NoParams{},
	"system-event":                  SystemEventParams{},
	"system-presence":               NoParams{},
}

func TestParamsMirrorTheirSchemas(t *testing.T) {
	v := newTestValidator(t)
	for name, j := range v.methods {
		params, ok := paramsOf[name]
		if !ok {
			t.Errorf("no params struct is named for %s", name)
			continue
		}
		mirrors(t, name, reflect.TypeOf(params), j.words)
	}
	for name := range paramsOf {
		if !v.Has(name) {
			t.Errorf("there is no schema for %s", name)
		}
	}
}

// mirrors checks that a struct and a schema have the same names, both ways,
// and that each field can hold what the schema lets through.
func mirrors(t *testing.T, at string, typ reflect.Type, s *schema) {
	t.Helper()
	fields := map[string]bool{}
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous {
			continue // its fields come, too
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = true
		p := s.byName[name]
		if p == nil {
			t.Errorf("%s: field %s has no property %q", at, f.Name, name)
			continue
		}
		if !goName(f.Name, name) {
			t.Errorf("%s: property %q is field %s", at, name, f.Name)
		}
		if want := holders(p); f.Type != reflect.TypeFor[rawjson.Value]() && !strings.Contains(want, " "+f.Type.String()+" ") {
			t.Errorf("%s: field %s is a %s, want one of%s", at, f.Name, f.Type, want)
		}
		if inner := indirect(f.Type); p.typ == "object" && inner.Kind() == reflect.Struct {
			mirrors(t, at+"/"+name, inner, p)
		}
		if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
			mirrors(t, at+"/"+name, f.Type.Elem(), p.items)
		}
	}
	for _, p := range s.properties {
		if !fields[p.name] {
			t.Errorf("%s: property %q has no field", at, p.name)
		}
	}
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// goName reports whether field is the wire's name in Go's spelling.
func goName(field, name string) bool { return strings.EqualFold(field, name) }

// holders lists the types that can hold what the schema accepts.
func holders(s *schema) string {
	switch {
	case s.anyOf != nil && s.anyOf[len(s.anyOf)-1].typ == "null":
		return fmt.Sprintf(" protocol.Opt[%s] ", strings.ReplaceAll(scalar(s.anyOf[0].typ), "protocol.", "github.com/parleyd/parley/internal/protocol."))
	case s.anyOf != nil:
		return " string "
	case s.typ == "array" && s.items.free():
		return " []json.RawMessage "
	case s.typ == "array" && s.items.typ == "object":
		return " []json.RawMessage []protocol.PatchTarget "
	case s.typ == "array":
		return " []" + scalar(s.items.typ) + " "
	case s.typ == "object" && s.patterns != nil:
		return " map[string]bool "
	case s.typ == "object":
		return " protocol.Client *protocol.Device *protocol.Credentials protocol.SessionChanges "
	}
	return " " + scalar(s.typ) + " *" + scalar(s.typ) + " "
}

func scalar(typ string) string {
	switch typ {
	case "integer":
		return "protocol.Int"
	case "boolean":
		return "bool"
	}
	return typ
}

func TestPatchTellsAbsentNullAndValue(t *testing.T) {
	var p SessionsPatchParams
	read(t, `{"key":"k","label":null,"fastMode":false,"spawnDepth":2.0}`, &p)
	want := SessionsPatchParams{Key: "k", SessionChanges: SessionChanges{
		Label: Opt[string]{Set: true, Null: true}, FastMode: Some(false), SpawnDepth: Some(Int(2)),
	}}
	if d := cmp.Diff(want, p); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := string(rawjson.MustMarshal(p)); got != `{"key":"k","label":null,"fastMode":false,"spawnDepth":2}` {
		t.Errorf("marshalled %s", got)
	}
}

// sessions.patchMany changes whatever sessions.patch does.
func TestPatchManyChangesTheSame(t *testing.T) {
	v := newTestValidator(t)
	one, many := v.methods["sessions.patch"].words.byName, v.methods["sessions.patchMany"].words.byName["patch"].byName
	for name, s := range one {
		if name == "key" || name == "expectedSessionId" {
			continue
		}
		if d := cmp.Diff(s, many[name], cmp.AllowUnexported(schema{}, limit{}, property{})); d != "" {
			t.Errorf("%s (-patch +patchMany):\n%s", name, d)
		}
	}
	if len(many) != len(one)-2 {
		t.Errorf("sessions.patchMany has %d fields, sessions.patch %d", len(many), len(one)-2)
	}
}

func TestIntTakesEverySpelling(t *testing.T) {
	for in, want := range map[string]Int{
		`1`: 1, `-1`: -1, `0`: 0, `-0`: 0, `1.0`: 1, `1e2`: 100, `1E+2`: 100, `120e-1`: 12,
		`9007199254740993`: 9007199254740993, `1e300`: 1<<63 - 1, `-1e300`: -1 << 63, `1e400`: 1<<63 - 1, `-1e999999999`: -1 << 63, `9223372036854775808`: 1<<63 - 1,
	} {
		var got Int
		if err := rawjson.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{`1.5`, `"1"`, `true`, `null`, `[]`} {
		got := Int(7)
		if err := rawjson.Unmarshal([]byte(in), &got); err == nil {
			t.Errorf("%s was taken for %d", in, got)
		}
	}
}

func TestRepeatedNamesReplaceTheEarlierWhole(t *testing.T) {
	var p ConnectParams
	read(t, `{"client":{"id":"a","displayName":"left over"},"client":{"id":"b"},
		"auth":{"token":"t"},"auth":{"password":"p"},"device":{"id":"d","nonce":"n"},"device":{"id":"e"},
		"scopes":["a","b"],"scopes":["c"]}`, &p)
	want := ConnectParams{Client: Client{ID: "b"}, Auth: &Credentials{Password: new("p")}, Device: &Device{ID: "e"}, Scopes: []string{"c"}}
	if d := cmp.Diff(want, p); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestRepeatedNamesMayDifferInType(t *testing.T) {
	for in, want := range map[string]SessionsPatchParams{
		`{"key":1.5,"label":[],"key":"k","label":"l"}`:                   {Key: "k", SessionChanges: SessionChanges{Label: Some("l")}},
		`{"key":"first","fastMode":"x","key":"k","fastMode":null}`:       {Key: "k", SessionChanges: SessionChanges{FastMode: Opt[bool]{Set: true, Null: true}}},
		`{"spawnDepth":"deep","key":{"a":1},"spawnDepth":2e0,"key":"k"}`: {Key: "k", SessionChanges: SessionChanges{SpawnDepth: Some(Int(2))}},
	} {
		var got SessionsPatchParams
		if err := Read([]byte(in), &got); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
	var c ConnectParams
	if err := Read([]byte(`{"client":{"id":5,"id":"b"},"auth":7,"auth":{"token":null,"token":"t"}}`), &c); err != nil || c.Client.ID != "b" || *c.Auth.Token != "t" {
		t.Errorf("connect: %+v, %v", c, err)
	}
	if err := Read([]byte(`{"key":"k","key":5}`), &SessionsPatchParams{}); err == nil {
		t.Error("the last is a number, and was read as text")
	}
	if err := Read([]byte(`[]`), &SessionsPatchParams{}); err == nil {
		t.Error("an array was read as params")
	}
}

func TestUnvalidatedParamsTakeAnything(t *testing.T) {
	for _, in := range []string{`5`, `"x"`, `[1]`, `null`, `true`, `{"key":5,"Limit":1}`} {
		var get SessionsGetParams
		read(t, in, &get)
		if get.Limit != nil {
			t.Errorf("%s: limit %s came from a name in another case", in, get.Limit)
		}
		var none NoParams
		read(t, in, &none)
		var health HealthParams
		read(t, in, &health)
		var event SystemEventParams
		read(t, in, &event)
	}
}

func TestScopesAbsentAndEmpty(t *testing.T) {
	for in, want := range map[string]bool{`{}`: false, `{"scopes":[]}`: true, `{"scopes":["a"]}`: true} {
		var p ConnectParams
		read(t, in, &p)
		if p.HasScopes() != want || p.ResolvedRole() != RoleOperator {
			t.Errorf("%s: HasScopes = %v, role %q", in, p.HasScopes(), p.ResolvedRole())
		}
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	c := &Credentials{Token: new("sesame")}
	for _, got := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", *c, *c, *c, c)} {
		if strings.Contains(got, "sesame") || strings.Contains(got, "0x") {
			t.Errorf("printed %s", got)
		}
	}
}

func TestRowLeavesOutWhatIsAbsent(t *testing.T) {
	r := Row{Key: "k", Kind: "direct", DisplayName: rawjson.Value(`""`), Origin: rawjson.Value(`{}`)}
	if got, want := string(rawjson.MustMarshal(r)), `{"key":"k","kind":"direct","displayName":"","origin":{},"updatedAt":null,"totalTokensFresh":false}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func read(t *testing.T, in string, into any) {
	t.Helper()
	if err := rawjson.Unmarshal([]byte(in), into); err != nil {
		t.Fatalf("read %s: %v", in, err)
	}
}
