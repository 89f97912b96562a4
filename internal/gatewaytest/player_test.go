package gatewaytest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyd/parley/internal/gatewaytest"
)

// every uses each kind of step as it should pass against the stub.
const every = `{"files": {"agents/x.jsonl": "{\"at\":${NOW}}\n\nnot json\n", "a/sub.json": {"n": "${NOW-1000}", "1": [], "b": {}}},
"steps": [
 {"open": {"scopes": ["s1"]}, "save": {"me": "payload.id"}, "res": {"type":"res","ok":true,"payload":{"id":"<uuid#9>"}}},
 {"call": "echo", "params": {"k": "${me}", "long": "x ${me}", "n": "${NOW+1}", "dev": "${a.device}", "u": "\ud800|😀"}, "res": {"type":"res","ok":true,"payload":{"k":"<uuid#9>","long":"x <uuid#9>","n":"<ms>","dev":"<hex#4>","u":"\ud800|😀"}}},
 {"call": "echo", "params": {"state": "${STATE}/x", "a": 1.0, "b": 1e21, "gone": 3}, "ignore": ["payload.gone", "*.a"], "res": {"type":"res","ok":true,"payload":{"state":"<STATE>/x","a":2,"b":1000000000000000000000}}},
 {"call": "emit", "params": {"reason": "one"}, "res": {"type":"res","ok":true}},
 {"call": "emit", "params": {"reason": "two"}},
 {"order": ["news"], "ms": 1, "value": ["res connect", "res echo", "res echo", "event news one", "res emit", "event news two", "res emit"]},
 {"event": "news", "where": {"payload.reason": "two"}, "marks": true, "frame": {"type":"event","event":"news","payload":{"reason":"two"},"hasSeq":true,"hasStateVersion":true}},
 {"event": "news", "frame": {"type":"event","event":"news","payload":{"reason":"one"}}},
 {"none": "news", "ms": 1, "value": null},
 {"call": "emit", "params": {"state": "x"}},
 {"call": "emit", "params": {"state": "final"}},
 {"events": ["news"], "until": {"payload.state": "final"}, "frames": [{"type":"event","event":"news","payload":{"state":"x"}},{"type":"event","event":"news","payload":{"state":"final"}}]},
 {"order": ["news"], "ms": 1, "value": ["event news x", "res emit", "event news final", "res emit"]},
 {"seqs": true, "value": {"increasing": true, "some": true, "unnumbered": ["connect.challenge"]}},
 {"raw": "{\"id\":\"q\",\"method\":\"echo\",\"params\":[1]}"},
 {"answer": "q", "res": {"type":"res","ok":true,"payload":[1]}},
 {"rawFill": {"head": "{\"id\":\"f\",\"method\":\"echo\",\"params\":\"", "fill": "ab", "count": 3, "tail": "\"}"}},
 {"answer": "f", "res": {"type":"res","ok":true,"payload":"ababab"}},
 {"rawHex": "6869", "opcode": 9, "value": {"pong": "6869"}},
 {"conn": "b", "open": {"device": false, "connect": false}, "res": null},
 {"conn": "b", "raw": "not json"},
 {"conn": "b", "closed": true, "value": {"code": 1008, "reason": "bad frame"}},
 {"conn": "c", "open": {"sameDevice": "a"}, "res": {"type":"res","ok":true,"payload":{"id":"<uuid#2>"}}},
 {"conn": "c", "close": true},
 {"conn": "d", "open": {"sign": {"nonce": "other"}}, "res": {"type":"res","ok":false,"payload":{"id":"<uuid#3>"}}},
 {"read": "a/sub.json", "as": "json", "value": {"n": "<ms>", "1": [], "b": {}}},
 {"read": "a/sub.json", "as": "text", "value": "{\n  \"1\": [],\n  \"n\": <ms>,\n  \"b\": {}\n}"},
 {"read": "agents/x.jsonl", "as": "jsonl", "value": [{"at": "<ms>"}, {"unparsed": "not json"}]},
 {"read": "agents/none", "value": null},
 {"write": "agents/11111111-2222-3333-4444-555555555555.jsonl", "text": "x"},
 {"write": "agents/y.lock", "json": {"a": [1, "b"]}},
 {"ls": "agents", "value": ["<uuid#8>.jsonl", "x.jsonl"]},
 {"call": "write", "params": {"late": 1}},
 {"read": "agents/x.jsonl", "as": "jsonl", "value": [{"late": 1}]},
 {"http": "/a/../health", "method": "post", "body": "x", "headers": {"host": "h"}, "show": ["x-two", "allow"], "value": {"status": 200, "type": "application/json", "body": {"ok": true, "method": "POST"}, "headers": {"x-two": "a, b", "allow": null}}},
 {"sleep": 1},
 {"call": "bye", "ms": 50},
 {"closed": true, "value": {"code": 1008, "reason": "slow consumer"}},
 {"conn": "s", "call": "echo", "params": {}},
 {"stop": true},
 {"start": true},
 {"conn": "s", "call": "echo", "params": 1, "res": {"type":"res","ok":true,"payload":1}},
 {"restart": true},
 {"conn": "s", "call": "echo", "params": 2, "res": {"type":"res","ok":true,"payload":2}}
]}`

func TestPlayerKnowsEveryStep(t *testing.T) {
	faults, err := gatewaytest.PlayText(t, []byte(every), startStub)
	if err != nil {
		t.Fatal(err)
	}
	// The call that closes the connection is never answered.
	if len(faults) != 1 || faults[0].String() != "step 36 bye: bye: no answer in 50 ms" {
		t.Errorf("faults: %v", faults)
	}
}

// TestPlayerReportsWhatIsWrong makes sure that every comparison can fail.
func TestPlayerReportsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ steps, want string }{
		"value":           {`{"call":"echo","params":{"a":1},"res":{"type":"res","ok":true,"payload":{"a":2}}}`, `step 0 echo: payload.a: want 2, got 1`},
		"member missing":  {`{"call":"echo","params":{},"res":{"type":"res","ok":true,"payload":{"a":null}}}`, `step 0 echo: payload.a: want null, got (absent)`},
		"member too many": {`{"call":"echo","params":{"a":null},"res":{"type":"res","ok":true,"payload":{}}}`, `step 0 echo: payload.a: want (absent), got null`},
		"kind":            {`{"call":"echo","params":"1","res":{"type":"res","ok":true,"payload":1}}`, `step 0 echo: payload: want 1, got "1"`},
		"array longer":    {`{"call":"echo","params":[1,2],"res":{"type":"res","ok":true,"payload":[1]}}`, `step 0 echo: payload.1: want (absent), got 2`},
		"object for array": {`{"call":"echo","params":[],"res":{"type":"res","ok":true,"payload":{}}}`,
			`step 0 echo: payload: want {}, got []`},
		"one id for two": {`{"call":"echo","params":["11111111-2222-3333-4444-555555555555","11111111-2222-3333-4444-555555555555"],"res":{"type":"res","ok":true,"payload":["<uuid#1>","<uuid#2>"]}}`,
			`step 0 echo: payload.1: want "<uuid#2>", got "<uuid?1>"`},
		"two ids for one": {`{"call":"echo","params":["11111111-2222-3333-4444-555555555555","11111111-2222-3333-4444-555555555556"],"res":{"type":"res","ok":true,"payload":["<uuid#1>","<uuid#1>"]}}`,
			`step 0 echo: payload.1: want "<uuid#1>", got "<uuid?2>"`},
		"time":         {`{"call":"echo","params":1500000000000,"res":{"type":"res","ok":true,"payload":"<ms>"}}`, `step 0 echo: payload: want "<ms>", got 1500000000000`},
		"no event":     {`{"event":"news","ms":5,"frame":{"type":"event"}}`, `step 0 news: : want {"type":"event"}, got null`},
		"no more":      {`{"events":["news"],"ms":5,"frames":[]}`, `step 0 : 0: want (absent), got "TIMEOUT"`},
		"unwanted":     {`{"none":"connect.challenge","ms":1,"ignore":["payload"],"value":null}`, `step 0 : : want null, got {"type":"event","event":"connect.challenge"}`},
		"still open":   {`{"closed":true,"ms":5,"value":{"code":1000}}`, `step 0 : : want {"code":1000}, got "still open"`},
		"no answer":    {`{"answer":"z","ms":5,"res":{"type":"res"}}`, `step 0 : : want {"type":"res"}, got null`},
		"order":        {`{"order":[],"ms":1,"value":["res connect","res x"]}`, `step 0 : 1: want "res x", got (absent)`},
		"numbering":    {`{"seqs":true,"value":{"increasing":true,"some":true,"unnumbered":["connect.challenge"]}}`, `step 0 : some: want true, got false`},
		"status":       {`{"http":"/health","value":{"status":404,"type":"application/json","body":{"ok":true,"method":"GET"}}}`, `step 0 /health: status: want 404, got 200`},
		"file":         {`{"read":"openclaw.json","as":"json","ignore":["agents","gateway","models","skills"],"value":{}}`, `step 0 openclaw.json: parley: want (absent), got {"deviceless":"never","protocols":[3],"throttleLoopback":false}`},
		"folder":       {`{"ls":".","value":[]}`, `step 0 .: 0: want (absent), got "openclaw.json"`},
		"refused":      {`{"open":{"path":"/health"},"res":null}`, `step 0 : http 200`},
		"unknown step": {`{"dance":true}`, `step 0 : unknown step`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, err := gatewaytest.PlayText(t, []byte(`{"steps":[`+c.steps+`]}`), startStub)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, f.String())
			}
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlayerRefusesWhatIsNoScenario(t *testing.T) {
	for _, text := range []string{``, `{}`, `{"steps":1}`} {
		if _, err := gatewaytest.PlayText(t, []byte(text), startStub); err == nil {
			t.Errorf("%q was played", text)
		}
	}
}

func TestNodeFaultsAreRead(t *testing.T) {
	scenario := []byte(`{"steps":[{"call":"a.b"},{"read":"x: y"},{"sleep":1}]}`)
	out := strings.Join([]string{
		"FAIL 01-x.json",
		`   step 0 a.b: payload.x: want 1, got "a: want 2, got 3"`,
		`   step 1 x: y: : want null, got 1`,
		`   step 0 a.b: a.b: no answer in 5 ms`,
		"0 passed, 1 failed", "",
	}, "\n")
	got, err := gatewaytest.NodeFaults(scenario, out)
	if err != nil {
		t.Fatal(err)
	}
	want := []gatewaytest.Fault{
		{Step: 0, Label: "a.b", Path: "payload.x", Text: `want 1, got "a: want 2, got 3"`},
		{Step: 1, Label: "x: y", Path: "(whole)", Text: `want null, got 1`},
		{Step: 0, Label: "a.b", Path: "(error)", Text: `a.b: a.b: no answer in 5 ms`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "FAIL 01-x.json: cannot start\n", "   step 0 a.b: x: want 1, got 2\nok 01-x.json\n", "FAIL x\n   step 9 a: b\n"} {
		if faults, err := gatewaytest.NodeFaults(scenario, bad); err == nil {
			t.Errorf("%q was read as %v", bad, faults)
		}
	}
}
