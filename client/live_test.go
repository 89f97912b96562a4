package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/parleyd/parley/client"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/gateway"
	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
	"github.com/parleyd/parley/schemas"
)

const liveAddress = "ws://127.0.0.1:18789"

var everything = []string{"operator.admin", "operator.read", "operator.write", "operator.pairing", "operator.approvals"}

// live runs a real gateway on the echo model, in memory, and returns the options
// with which it lets in: from its own machine, and from another.
func live(tb testing.TB) (near, far client.Options) {
	tb.Helper()
	dir := tb.TempDir()
	cfg, _, err := config.Parse(`{gateway: {auth: {token: "sesame"}}}`, config.Options{StateDir: dir, HomeDir: dir, Env: func(string) string { return "" }})
	if err != nil {
		tb.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	l := gatewaytest.NewListener(tb)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := g.Serve(ctx, l); err != nil {
			tb.Error(err)
		}
	})
	from := func(peer string) client.Options {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return l.Dial(ctx, netip.MustParseAddrPort(peer))
		}}
		tb.Cleanup(transport.CloseIdleConnections)
		return client.Options{Token: "sesame", Scopes: everything, HTTP: &http.Client{Transport: transport}}
	}
	tb.Cleanup(func() {
		cancel()
		serving.Wait()
		if err := g.Close(); err != nil {
			tb.Error(err)
		}
	})
	return from("127.0.0.1:40000"), from("203.0.113.9:40000")
}

func connect(tb testing.TB, o client.Options) *client.Client {
	tb.Helper()
	c, err := client.Connect(tb.Context(), liveAddress, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// typed is one method of the package under test.
type typed struct {
	name           string
	params, result reflect.Type
}

func methodOf[P, R any](m client.Method[P, R]) typed {
	return typed{string(m), reflect.TypeFor[P](), reflect.TypeFor[R]()}
}

var methods = []typed{
	methodOf(client.SessionsList), methodOf(client.SessionsDescribe), methodOf(client.SessionsResolve), methodOf(client.SessionsPreview),
	methodOf(client.SessionsGet), methodOf(client.SessionsCreate), methodOf(client.SessionsFork), methodOf(client.SessionsPatch),
	methodOf(client.SessionsPatchMany), methodOf(client.SessionsReset), methodOf(client.SessionsDelete), methodOf(client.SessionsCompact),
	methodOf(client.SessionsArchives), methodOf(client.SessionsRestore), methodOf(client.SessionsSubscribe), methodOf(client.SessionsUnsubscribe),
	methodOf(client.SessionsMessagesSubscribe), methodOf(client.SessionsMessagesUnsubscribe), methodOf(client.ChatSend),
	methodOf(client.ChatHistory), methodOf(client.ChatAbort), methodOf(client.ChatInject), methodOf(client.SessionsSend),
	methodOf(client.SessionsSteer), methodOf(client.SessionsAbort), methodOf(client.AgentWait), methodOf(client.DevicePairList),
	methodOf(client.DevicePairApprove), methodOf(client.DevicePairReject), methodOf(client.DevicePairRemove), methodOf(client.DeviceTokenRotate),
	methodOf(client.DeviceTokenRevoke), methodOf(client.AgentsList), methodOf(client.ModelsList), methodOf(client.Health), methodOf(client.Status),
	methodOf(client.SessionsExport), methodOf(client.SessionsImport), methodOf(client.SessionsImportPart),
}

func TestParamsHaveTheNamesOfTheSchemas(t *testing.T) {
	n := 0
	for _, file := range []string{"methods.go", "transfer.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += len(regexp.MustCompile(`(?m)^\t\w+ +Method\[`).FindAll(source, -1))
	}
	if n != len(methods) {
		t.Errorf("there are %d methods, this test knows %d", n, len(methods))
	}
	for _, m := range methods {
		text, err := schemas.FS.ReadFile(m.name + ".json")
		if err != nil {
			t.Errorf("%s has no schema: %v", m.name, err)
			continue
		}
		schema, err := rawjson.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		want, err := rawjson.Parse(schema.Get("properties"))
		if err != nil {
			continue // it takes no params, or judges them itself
		}
		got := namesOf(m.params)
		for name := range want.All() {
			if m.name == "sessions.get" && name == "sessionKey" {
				continue // another name for key
			}
			if !got[name] {
				t.Errorf("%s: %s has no field for %q", m.name, m.params.Name(), name)
			}
			delete(got, name)
		}
		for name := range got {
			t.Errorf("%s: %s has a field for %q, which the method does not take", m.name, m.params.Name(), name)
		}
	}
}

// namesOf are the JSON names of a struct.
func namesOf(t reflect.Type) map[string]bool {
	out := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); !f.Anonymous && name != "-" {
			out[name] = true
		}
	}
	return out
}

// strict remembers answers and decodes each into the type of its method, which
// must have a field for all that comes.
type strict struct {
	t *testing.T
	*client.Client
	called map[string]bool
}

// leftOut are members of answers that the types leave out on purpose.
var leftOut = []string{"channels", "channelOrder", "channelLabels", "heartbeatSeconds", "heartbeat"}

func (s strict) Call(ctx context.Context, method string, params any) (rawjson.Value, error) {
	payload, err := s.Client.Call(ctx, method, params)
	if err != nil {
		return payload, err
	}
	for _, m := range methods {
		if m.name != method || m.result == reflect.TypeFor[rawjson.Value]() {
			continue
		}
		s.called[method] = true
		result := reflect.New(m.result).Interface()
		err := json.Unmarshal(payload, result, json.RejectUnknownMembers(true))
		for _, name := range leftOut {
			if err != nil && strings.Contains(err.Error(), `"`+name+`"`) {
				err = nil
			}
		}
		if err != nil {
			s.t.Errorf("%s: %v in %s", method, err, payload)
		}
	}
	return payload, nil
}

func must[P, R any](s strict, m client.Method[P, R], params P) R {
	s.t.Helper()
	r, err := m.Call(s.t.Context(), s, params)
	if err != nil {
		s.t.Errorf("%s: %v", m, err)
	}
	return r
}

func TestTypesFitARealGateway(t *testing.T) {
	near, far := live(t)
	s := strict{t, connect(t, near), map[string]bool{}}
	must(s, client.Health, client.HealthParams{Probe: true})
	must(s, client.AgentsList, client.None{})
	if got := must(s, client.ModelsList, client.None{}); len(got.Models) != 1 || got.Models[0].ID != "echo" {
		t.Errorf("models = %+v", got)
	}
	must(s, client.Status, client.None{})
	must(s, client.SessionsSubscribe, client.None{})
	if got := must(s, client.SessionsMessagesSubscribe, client.SessionKey{Key: "one"}); got.Key != "agent:main:one" {
		t.Errorf("subscribed to %+v", got)
	}
	made := must(s, client.SessionsCreate, client.SessionsCreateParams{Key: "one", Label: "First", Message: "Hello"})
	if !made.RunStarted || made.Key != "agent:main:one" {
		t.Errorf("create = %+v", made)
	}
	if got := must(s, client.AgentWait, client.AgentWaitParams{RunID: made.RunID}); got.Status != "ok" {
		t.Errorf("wait = %+v", got)
	}
	history := must(s, client.ChatHistory, client.ChatHistoryParams{SessionKey: "one"})
	if n := len(history.Messages); n != 2 || history.Messages[0].Text() != "Hello" || history.Messages[1].Text() != "echo: Hello" || history.Messages[1].Place.Seq != 2 {
		t.Errorf("history = %+v", history)
	}
	if got := must(s, client.SessionsGet, client.SessionsGetParams{Key: "one"}); len(got.Messages) != 2 {
		t.Errorf("get = %+v", got)
	}
	offset := 0
	list := must(s, client.SessionsList, client.SessionsListParams{Offset: &offset, IncludeDerivedTitles: true, IncludeLastMessage: true})
	if list.TotalCount != 1 || list.Sessions[0].Title() != "First" || list.Sessions[0].LastMessagePreview != "echo: Hello" || list.Sessions[0].Updated().IsZero() {
		t.Errorf("list = %+v", list)
	}
	if got := must(s, client.SessionsDescribe, client.SessionsDescribeParams{Key: "one"}); got.Session == nil || got.Session.SessionID != made.SessionID {
		t.Errorf("describe = %+v", got)
	}
	if got := must(s, client.SessionsResolve, client.SessionsResolveParams{Label: "First"}); got.Key != made.Key {
		t.Errorf("resolve = %+v", got)
	}
	if got := must(s, client.SessionsPreview, client.SessionsPreviewParams{Keys: []string{"one"}}); len(got.Previews) != 1 || len(got.Previews[0].Items) != 2 {
		t.Errorf("preview = %+v", got)
	}
	fork := must(s, client.SessionsFork, client.SessionsForkParams{SessionKey: "one"})
	changes := client.SessionChanges{Label: client.Null[string](), ThinkingLevel: client.Some("high"), SpawnDepth: client.Opt[int]{}}
	if got := must(s, client.SessionsPatch, client.SessionsPatchParams{Key: "one", SessionChanges: changes}); got.Resolved.Model != "echo" {
		t.Errorf("patch = %+v", got)
	}
	if got := must(s, client.SessionsDescribe, client.SessionsDescribeParams{Key: "one"}).Session; got.Label != "" || got.ThinkingLevel != "high" {
		t.Errorf("after the patch: %s", got.Raw)
	}
	many := must(s, client.SessionsPatchMany, client.SessionsPatchManyParams{
		Targets: []client.PatchTarget{{Key: fork.Key}, {Key: "one", ExpectedSessionID: "another"}}, Patch: client.SessionChanges{FastMode: client.Some(true)},
	})
	if len(many.Outcomes) != 2 || !many.Outcomes[0].OK || many.Outcomes[1].Error == nil || many.Outcomes[1].Error.Detail("reason") != "session-changed" {
		t.Errorf("patchMany = %+v", many)
	}
	must(s, client.ChatInject, client.ChatInjectParams{SessionKey: "one", Message: "a note"})
	sent := must(s, client.SessionsSend, client.SessionsSendParams{Key: "one", Message: "again"})
	must(s, client.AgentWait, client.AgentWaitParams{RunID: sent.RunID})
	must(s, client.SessionsSteer, client.SessionsSendParams{Key: "one", Message: "this instead", IdempotencyKey: "k1"})
	must(s, client.AgentWait, client.AgentWaitParams{RunID: "k1"})
	must(s, client.ChatSend, client.ChatSendParams{SessionKey: "one", Message: "and this", IdempotencyKey: "k2"})
	must(s, client.AgentWait, client.AgentWaitParams{RunID: "k2"})
	must(s, client.ChatAbort, client.ChatAbortParams{SessionKey: "one"})
	must(s, client.SessionsAbort, client.SessionsAbortParams{Key: "one"})
	must(s, client.SessionsCompact, client.SessionsCompactParams{Key: "one", MaxLines: 3})
	must(s, client.SessionsReset, client.SessionsResetParams{Key: "one"})
	if got := must(s, client.SessionsDelete, client.SessionsDeleteParams{Key: fork.Key}); !got.Deleted {
		t.Errorf("delete = %+v", got)
	}
	archives := must(s, client.SessionsArchives, client.SessionsArchivesParams{Key: fork.Key})
	if len(archives.Archives) != 1 {
		t.Fatalf("archives = %+v", archives)
	}
	must(s, client.SessionsRestore, client.SessionsRestoreParams{Archive: archives.Archives[0].Archive})
	taken := must(s, client.SessionsExport, client.SessionsExportParams{Key: fork.Key})
	if taken.Transcript == nil || int64(len(taken.Transcript.Data)) != taken.Transcript.Size {
		t.Fatalf("export = %+v", taken)
	}
	must(s, client.SessionsDelete, client.SessionsDeleteParams{Key: fork.Key})
	must(s, client.SessionsImportPart, client.SessionsImportPartParams{Key: fork.Key, Upload: "upload-1", Data: taken.Transcript.Data})
	must(s, client.SessionsImport, client.SessionsImportParams{Key: fork.Key, Entry: taken.Entry, Upload: "upload-1", Size: taken.Transcript.Size})
	if got := must(s, client.SessionsExport, client.SessionsExportParams{Key: fork.Key}); string(got.Entry) != string(taken.Entry) || string(got.Transcript.Data) != string(taken.Transcript.Data) {
		t.Errorf("imported %s %s, exported %s %s", got.Entry, got.Transcript.Data, taken.Entry, taken.Transcript.Data)
	}
	odd := rawjson.Value(`{"sessionId":"odd","updatedAt":1.0,"other":[1e2,1.50,"\u00e9"]}`)
	must(s, client.SessionsImport, client.SessionsImportParams{Key: "odd", Entry: odd})
	if got := must(s, client.SessionsExport, client.SessionsExportParams{Key: "odd"}); string(got.Entry) != string(odd) {
		t.Errorf("imported %s, exported %s", odd, got.Entry)
	}
	must(s, client.SessionsMessagesUnsubscribe, client.SessionKey{Key: "one"})
	must(s, client.SessionsUnsubscribe, client.None{})
	devices(t, s, far)
	for _, m := range methods {
		if !s.called[m.name] && m.name != "status" {
			t.Errorf("%s was not tried", m.name)
		}
	}
}

// devices lets a device in, looks at it and turns it out.
func devices(t *testing.T, s strict, o client.Options) {
	t.Helper()
	pending := func() client.PairRequest {
		identity, err := client.LoadIdentity(filepath.Join(t.TempDir(), "device.json"))
		if err != nil {
			t.Fatal(err)
		}
		o.Device = identity
		o.Client.DisplayName = "Ann's phone"
		if c, err := client.Dial(t.Context(), liveAddress, o); err == nil {
			_ = c.Close()
			t.Fatal("a device was let in that nobody approved")
		} else if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.NotPaired {
			t.Fatal(err)
		}
		list := must(s, client.DevicePairList, client.None{})
		if len(list.Pending) != 1 || list.Pending[0].DisplayName != "Ann's phone" {
			t.Fatalf("pending = %+v", list)
		}
		return list.Pending[0]
	}
	must(s, client.DevicePairReject, client.DevicePairRequestParams{RequestID: pending().RequestID})
	device := must(s, client.DevicePairApprove, client.DevicePairRequestParams{RequestID: pending().RequestID}).Device
	got := must(s, client.DeviceTokenRotate, client.DeviceTokenRotateParams{DeviceID: device.DeviceID, Role: "operator"})
	if got.Token == "" {
		t.Errorf("rotate = %+v", got)
	}
	if list := must(s, client.DevicePairList, client.None{}); len(list.Paired) != 1 || len(list.Paired[0].Tokens) != 1 || list.Paired[0].Tokens[0].RotatedAtMs == 0 {
		t.Errorf("paired = %+v", list.Paired)
	}
	must(s, client.DeviceTokenRevoke, client.DeviceTokenParams{DeviceID: device.DeviceID, Role: "operator"})
	must(s, client.DevicePairRemove, client.DevicePairRemoveParams{DeviceID: device.DeviceID})
}
