package transcript

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

func spendLine(at, role, rest string) string {
	return fmt.Sprintf(`{"type":"message","timestamp":%q,"message":{"role":%q,%s}}`, at, role, rest)
}

// conversation has two days of messages.
func conversation() []string {
	return []string{
		testHeader,
		spendLine("2026-01-05T10:00:01Z", "user", `"content":"hi"`),
		spendLine("2026-01-05T10:00:03Z", "assistant", `"content":[{"type":"toolCall","name":"exec"},{"type":"toolCall","name":"exec"},{"type":"tool_use","name":"read"}],"provider":"p","model":"m","usage":{"input":100,"output":10,"cost":{"input":0.25,"output":0.5,"total":0.75}}`),
		spendLine("2026-01-05T10:00:04Z", "toolResult", `"content":"x","usage":{"input":1000}`),
		spendLine("2026-01-05T10:00:08Z", "assistant", `"content":[{"type":"tool_result","is_error":true}],"provider":"p","model":"m","usage":{"input":1000000},"stopReason":"error"`),
		spendLine("2026-01-06T10:00:00Z", "user", `"content":"next"`),
		spendLine("2026-01-06T10:00:05Z", "assistant", `"content":"a","provider":"p","model":"free","usage":{"input":1,"total":7},"durationMs":1500`),
		`{"message":{"role":"assistant","content":"no time"}}`,
		spendLine("2026-01-06T23:00:00Z", "assistant", `"content":"a day later, so no latency"`),
	}
}

func testPrices(_, model string) (Rates, bool) { return Rates{Input: 2}, model == "m" }

func utc(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestReport(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	f := newFixture(t)
	f.write(t, "s.jsonl", conversation()...)
	file, err := f.UsageFile(f.ref("s"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Report(file, utc("2026-01-01T00:00:00Z"), utc("2026-01-31T00:00:00Z"), testPrices)
	if err != nil {
		t.Fatal(err)
	}
	m := ModelUsage{Provider: "p", Model: "m", Count: 2, Totals: Totals{Input: 1000100, Output: 10, TotalTokens: 1000110, TotalCost: 2.75, InputCost: 0.25, OutputCost: 0.5}}
	free := ModelUsage{Provider: "p", Model: "free", Count: 1, Totals: Totals{Input: 1, TotalTokens: 7, MissingCostEntries: 1}}
	want := &Report{
		SessionID: "s", SessionFile: f.path("s"),
		FirstActivity: new(utc("2026-01-05T10:00:01Z").UnixMilli()), LastActivity: new(utc("2026-01-06T23:00:00Z").UnixMilli()),
		DurationMs:     new((37*time.Hour - time.Second).Milliseconds()),
		ActivityDates:  []string{"2026-01-05", "2026-01-06"},
		DailyBreakdown: []DailyCost{{"2026-01-05", 1000110, 2.75}, {"2026-01-06", 1, 0}},
		DailyMessageCounts: []DailyMessages{
			{"2026-01-05", MessageCounts{Total: 3, User: 1, Assistant: 2, ToolCalls: 2, ToolResults: 1, Errors: 2}},
			{"2026-01-06", MessageCounts{Total: 3, User: 1, Assistant: 2}}},
		DailyLatency:    []DailyLatency{{"2026-01-05", Latency{2, 4500, 7000, 2000, 7000}}, {"2026-01-06", Latency{1, 1500, 1500, 1500, 1500}}},
		DailyModelUsage: []DailyModel{{"2026-01-05", "p", "m", 1000110, 2.75, 2}, {"2026-01-06", "p", "free", 1, 0, 1}},
		MessageCounts:   MessageCounts{Total: 7, User: 2, Assistant: 5, ToolCalls: 2, ToolResults: 1, Errors: 2},
		ToolUsage:       &ToolUsage{2, 2, []ToolCalls{{"exec", 1}, {"read", 1}}},
		ModelUsage:      []ModelUsage{m, free},
		Latency:         &Latency{3, 3500, 7000, 1500, 7000},
		Totals:          Totals{Input: 1000101, Output: 10, TotalTokens: 1000117, TotalCost: 2.75, InputCost: 0.25, OutputCost: 0.5, MissingCostEntries: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = f.Report(file, utc("2026-02-01T00:00:00Z"), utc("2026-02-02T00:00:00Z"), nil)
	if want := (&Report{SessionID: "s", SessionFile: f.path("s"), MessageCounts: MessageCounts{Total: 1, Assistant: 1}}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("another month: %v\n%s", err, cmp.Diff(want, got))
	}
}

func TestSeries(t *testing.T) {
	f := newFixture(t)
	lines := []string{testHeader}
	for i := range 401 { // newest first: the file is not in the order of time
		lines = append(lines, spendLine(fmt.Sprintf("2026-01-05T10:%02d:%02dZ", (400-i)/60, (400-i)%60), "assistant", `"usage":{"input":1,"output":2,"cost":{"total":0.5}}`))
	}
	f.write(t, "s.jsonl", lines...)
	file, err := f.UsageFile(f.ref("s"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Series(file, nil)
	if err != nil || len(got) != 134 {
		t.Fatalf("%d points, %v, want 134", len(got), err)
	}
	want := Point{Timestamp: utc("2026-01-05T10:00:02Z").UnixMilli(), Input: 3, Output: 6, TotalTokens: 9, Cost: 1.5, CumulativeTokens: 9, CumulativeCost: 1.5}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	if last := got[len(got)-1]; last.CumulativeTokens != 3*401 || last.CumulativeCost != 200.5 {
		t.Errorf("the last of many is %+v", last)
	}

	// Few points keep what had added up in the order of the file.
	f.write(t, "few.jsonl", spendLine("2026-01-05T10:00:02Z", "assistant", `"usage":{"input":1}`), spendLine("2026-01-05T10:00:01Z", "user", `"usage":{"input":2}`),
		spendLine("", "assistant", `"usage":{"input":4},"timestamp":0`), spendLine("2026-01-05T10:00:03Z", "assistant", `"usage":{"cost":{"total":1}}`))
	if file, err = f.UsageFile(f.ref("few")); err != nil {
		t.Fatal(err)
	}
	got, err = f.Series(file, nil)
	if err != nil || len(got) != 2 || got[0].Input != 2 || got[0].CumulativeTokens != 3 || got[1].CumulativeTokens != 1 {
		t.Errorf("few: %+v, %v", got, err)
	}
}

func TestSpendUsage(t *testing.T) {
	for _, tt := range []struct {
		usage string
		sum   float64
		total float64
		used  bool
	}{
		{`null`, 0, 0, false},
		{`{}`, 0, 0, false},
		{`{"cost":{"total":2}}`, 0, 0, false},
		{`{"input":"7","inputTokens":8}`, 0, 0, false},
		{`{"input":0}`, 0, 0, true},
		{`{"input":"5","output":3}`, 3, 3, true},
		{`{"input":1.5,"output":2.7}`, 4.2, 4.2, true},
		{`{"input":3,"total":-1}`, 3, -1, true},
		{`{"input":-3,"cacheWrite":1}`, 1, 1, true},
	} {
		m, err := rawjson.Parse([]byte(`{"role":"assistant","usage":` + tt.usage + `}`))
		if err != nil {
			t.Fatal(err)
		}
		s := readSpend(&fields{}, m, nil)
		if s.sum() != tt.sum || s.total() != tt.total || s.used != tt.used {
			t.Errorf("%s: sum %v, total %v, used %v", tt.usage, s.sum(), s.total(), s.used)
		}
	}
}

func TestSpendSaysWhoAndHowLong(t *testing.T) {
	const line = `"provider":"P","model":"M","durationMs":33`
	for _, tt := range []struct {
		line, message, provider, model string
		durationMs                     float64
	}{
		{line, `"provider":"p","model":"m","durationMs":44`, "p", "m", 44},
		{line, `"provider":null,"durationMs":"44"`, "P", "M", 33},
		{line, `"provider":3,"model":4`, "P", "M", 33},
		{line, `"provider":"","model":""`, "", "", 33},
	} {
		f, ok := parse([]byte(`{` + tt.line + `,"message":{` + tt.message + `}}`))
		m, err := rawjson.Parse(f.Message)
		if err != nil || !ok {
			t.Fatal(err, ok)
		}
		if s := readSpend(&f, m, nil); s.provider != tt.provider || s.model != tt.model || s.durationMs != tt.durationMs {
			t.Errorf("%s: %q, %q, %v", tt.message, s.provider, s.model, s.durationMs)
		}
	}
}

// What no model is named for counts in the sums, but for no model.
func TestReportOfNoModel(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", spendLine("2026-01-05T10:00:00Z", "assistant", `"usage":{"input":3,"cost":{"total":-1}}`))
	file, err := f.UsageFile(f.ref("s"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Report(file, utc("2026-01-01T00:00:00Z"), utc("2026-01-31T00:00:00Z"), nil)
	if err != nil || got.Input != 3 || got.TotalCost != 0 || got.MissingCostEntries != 1 || len(got.DailyBreakdown) != 1 || got.DailyBreakdown[0].Cost != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if len(got.ModelUsage)+len(got.DailyModelUsage) != 0 {
		t.Errorf("models %+v, %+v", got.ModelUsage, got.DailyModelUsage)
	}
}

func TestLogText(t *testing.T) {
	for _, tt := range []struct{ role, members, want string }{
		{"user", `"content":" [Mon 2026-01-05 10:00 UTC] hi "`, "hi"},
		{"user", `"text":"not the content"`, ""},
		{"assistant", `"content":[{"type":"text","text":" a "},{"type":"text","text":""},"b",{"type":"thinking","thinking":"x"},{"type":"input_text","text":"i"},null,5]`, "a \nb"},
		{"assistant", `"content":[{"type":"tool_use","name":" n "},{"type":"tool_use","name":""},{"type":"tool_use"},{"type":"toolCall","name":"x"}]`, "[Tool:  n ]\n[Tool: ]\n[Tool: unknown]"},
		{"user", `"content":[{"type":"tool_result","content":"x"},{"type":"tool_result_error"}]`, "[Tool Result]"},
		{"assistant", `"content":"c","tool_calls":[{"function":{"name":"f"}},{"name":"n","function":{"name":"f"}},{},"s",null]`, "c\n[Tool: f]\n[Tool: n]\n[Tool: unknown]\n[Tool: unknown]"},
		{"assistant", `"toolCalls":{"name":"one"}`, "[Tool: one]"},
		{"assistant", `"content":"c","tool_calls":[],"toolCalls":[{"name":"n"}]`, "c"},
		{"assistant", `"function_call":{"name":"old"}`, "[Tool: old]"},
		{"toolResult", `"content":"  out\n"`, "[Tool: tool]\n[Tool Result]\n  out"},
		{"tool", `"toolName":" T ","tool_name":"x"`, "[Tool: T]\n[Tool Result]"},
		{"tool", `"toolName":null,"tool_name":"x"`, "[Tool: x]\n[Tool Result]"},
		{"tool", `"toolName":" ","name":"x"`, "[Tool: tool]\n[Tool Result]"},
		{"tool", `"tool":"t"`, "[Tool: t]\n[Tool Result]"},
	} {
		m, err := rawjson.Parse([]byte(`{"role":"` + tt.role + `",` + tt.members + `}`))
		if err != nil {
			t.Fatal(tt.members, err)
		}
		if got := logText(readSpend(&fields{}, m, nil)); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.role, tt.members, got, tt.want)
		}
	}
}

func TestLogs(t *testing.T) {
	f := newFixture(t)
	f.write(t, "s.jsonl", testHeader,
		spendLine("2026-01-05T10:00:09Z", "assistant", `"content":[{"type":"text","text":"late"},{"type":"tool_use","name":"x"},{"type":"toolCall","name":"y"}],"usage":{"input":1,"cost":{"total":0.5}}`),
		spendLine("2026-01-05T10:00:01Z", "user", `"content":"[Mon 2026-01-05 10:00 UTC] [Slack a] hi [message_id: 5]\n[message_id: 6]"`),
		spendLine("2026-01-05T10:00:01Z", "user", `"content":"asked","usage":{"input":1}`),
		spendLine("2026-01-05T10:00:02Z", "toolResult", `"toolName":"exec","content":[{"type":"text","text":"out"}]`),
		spendLine("2026-01-05T10:00:03Z", "assistant", `"content":[{"type":"toolCall","name":"y"}]`),
		spendLine("2026-01-05T10:00:04Z", "system", `"content":"no"`),
		spendLine("2026-01-05T10:00:05Z", "assistant", `"content":"`+strings.Repeat("é", 2001)+`","usage":{"input":5}`))
	file, err := f.UsageFile(f.ref("s"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(s int64) int64 { return utc("2026-01-05T10:00:00Z").UnixMilli() + 1000*s }
	want := []LogLine{
		{at(1), "user", "hi [message_id: 5]", nil, nil},
		{at(1), "user", "asked", nil, nil}, // only answers have a price
		{at(2), "toolResult", "[Tool: exec]\n[Tool Result]\nout", nil, nil},
		{at(5), "assistant", strings.Repeat("é", 2000) + "…", new(5.0), nil},
		{at(9), "assistant", "late\n[Tool: x]", new(1.0), new(0.5)},
	}
	for _, limit := range []int{9, 2} {
		got, err := f.Logs(file, nil, limit)
		if diff := cmp.Diff(want[max(0, len(want)-limit):], got); diff != "" || err != nil {
			t.Errorf("limit %d: %v %s", limit, err, diff)
		}
	}
}

func TestUsageFiles(t *testing.T) {
	f := newFixture(t)
	old := time.Now().Add(-time.Hour)
	for i, name := range []string{
		"a.jsonl.reset.2026-01-05T10-00-00.000Z", "a.jsonl", "b.jsonl.deleted.2026-01-05T10-00-00.000Z",
		"b.jsonl.reset.2026-01-04T10-00-00.000Z", "c.jsonl.bak.2026-01-05T10-00-00.000Z", "d.txt", "sessions.json",
	} {
		path := f.write(t, name, testHeader)
		if err := os.Chtimes(path, old, old.Add(-time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := f.UsageFiles(f.dir, time.Time{})
	got := []string{}
	for _, file := range files {
		got = append(got, file.SessionID+" "+file.place.name)
	}
	if diff := cmp.Diff([]string{"a a.jsonl", "b b.jsonl.deleted.2026-01-05T10-00-00.000Z"}, got); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	if files, err := f.UsageFiles(f.dir, time.Now()); len(files) != 0 || err != nil {
		t.Errorf("files that changed now: %v, %v", files, err)
	}
	// Of archives the name tells which is the newest, wherever they were copied.
	if err := os.Chtimes(f.dir+"/b.jsonl.reset.2026-01-04T10-00-00.000Z", time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if file, err := f.UsageFile(f.ref("b")); err != nil || file.place.name != "b.jsonl.deleted.2026-01-05T10-00-00.000Z" {
		t.Errorf("b: %+v, %v", file, err)
	}
	for id, want := range map[string]error{"c": ErrNotFound, "../b": ErrBadID} {
		if _, err := f.UsageFile(f.ref(id)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
}
