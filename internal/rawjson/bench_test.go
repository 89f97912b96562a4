package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// entry is a session's entry of about 1.5 KB in the store's form.
func entry(i int) string {
	report := strings.Repeat(fmt.Sprintf("- file %d: a line of the report, with \\\"words\\\" and an end\\n", i), 6)
	return fmt.Sprintf(`{
    "sessionId": "%08x-2b1c-4d5e-8f90-1234567890ab",
    "updatedAt": %d,
    "systemSent": true,
    "abortedLastRun": false,
    "chatType": "direct",
    "deliveryContext": {
      "channel": "webchat",
      "to": "user-%d"
    },
    "label": "Session number %d – a label",
    "model": "some-model-4",
    "modelProvider": "provider",
    "inputTokens": %d,
    "outputTokens": 1234,
    "totalTokens": 56789,
    "contextTokens": 200000,
    "skillsSnapshot": {
      "prompt": "%s",
      "skills": [
        {
          "name": "one",
          "primaryEnv": "ENV"
        },
        {
          "name": "two"
        }
      ],
      "version": 0
    },
    "origin": {
      "provider": "webchat",
      "surface": "webchat",
      "weights": [
        1.5,
        -2e3,
        null
      ]
    },
    "sessionFile": "/home/user/.parley/agents/main/sessions/%08x-2b1c-4d5e-8f90-1234567890ab.jsonl",
    "compactionCount": 0,
    "lastChannel": "webchat",
    "thinkingLevel": "low",
    "empty": {}
  }`, i, 1760000000000+i, i, i, i, report, i)
}

// store is a sessions.json with n entries.
func store(n int) []byte {
	b := []byte("{")
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "\n  \"agent:main:session-%d\": %s", i, entry(i))
	}
	return append(b, "\n}"...)
}

// line is a line of a transcript whose message has n bytes of text.
func line(n int) []byte {
	const text = `He said \"no\", and went on.\nAnother line of the answer is a little longer than that – much longer; func main() {\n\treturn x < y\n}\n`
	return fmt.Appendf(nil, `{"type":"message","id":"0a1b2c3d","parentId":"4e5f6a7b","timestamp":"2026-05-04T03:02:01.000Z","message":`+
		`{"role":"assistant","content":[{"type":"text","text":"%s"}],"api":"openai-completions","provider":"p","model":"m",`+
		`"usage":{"input":1,"output":22,"cacheRead":333,"cacheWrite":0,"totalTokens":356,"cost":{"input":0,"output":0.25,"total":0.25}},`+
		`"stopReason":"stop","timestamp":1760000000000}}`, strings.Repeat(text, 1+n/len(text)))
}

func corpora() []struct {
	name string
	data []byte
} {
	return []struct {
		name string
		data []byte
	}{{"store", store(50_000)}, {"entry", []byte(entry(7))}, {"line=1K", line(600)}, {"line=100K", line(100_000)}}
}

// bench runs f on each corpus, and std, if there is one, beside it.
func bench(b *testing.B, compacted bool, f, std func(data []byte)) {
	for _, c := range corpora() {
		if compacted {
			c.data, _ = AppendCompact(nil, c.data)
		}
		for _, side := range []struct {
			name string
			f    func([]byte)
		}{{"ours", f}, {"std", std}} {
			if side.f == nil {
				continue
			}
			b.Run(c.name+"/"+side.name, func(b *testing.B) {
				b.SetBytes(int64(len(c.data)))
				b.ReportAllocs()
				side.f(c.data) // makes its memory
				for b.Loop() {
					side.f(c.data)
				}
			})
		}
	}
}

func BenchmarkValid(b *testing.B) {
	bench(b, false, func(data []byte) { Valid(data) }, func(data []byte) { json.Valid(data) })
}

func BenchmarkWalk(b *testing.B) {
	bench(b, false, func(data []byte) {
		if err := Walk(data, func([]byte, Value) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}, nil)
}

func BenchmarkAppendCompact(b *testing.B) {
	var ours []byte
	var std bytes.Buffer
	bench(b, false, func(data []byte) {
		var err error
		if ours, err = AppendCompact(ours[:0], data); err != nil {
			b.Fatal(err)
		}
	}, func(data []byte) {
		std.Reset()
		if err := json.Compact(&std, data); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkCompactObject(b *testing.B) {
	var ours []byte
	bench(b, false, func(data []byte) {
		var err error
		if ours, err = CompactObject(ours[:0], data, func([]byte, Value) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}, nil)
}

func BenchmarkAppendIndent(b *testing.B) {
	var ours []byte
	var std bytes.Buffer
	bench(b, true, func(data []byte) { ours = AppendIndent(ours[:0], data, 1) }, func(data []byte) {
		std.Reset()
		if err := json.Indent(&std, data, "  ", "  "); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	bench(b, false, func(data []byte) {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}, func(data []byte) {
		if _, err := parseByTokens(data); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkText(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"word", `"webchat"`},
		{"plain=100K", `"` + strings.Repeat("text ", 20_000) + `"`},
		{"escaped=100K", `"` + strings.Repeat(`a line of \"text\" and its end\n`, 3_000) + `"`},
	} {
		for _, side := range []struct {
			name string
			f    func(Value) (string, bool)
		}{{"ours", Text}, {"std", textByUnmarshal}} {
			b.Run(c.name+"/"+side.name, func(b *testing.B) {
				v := Value(c.text)
				b.SetBytes(int64(len(v)))
				b.ReportAllocs()
				for b.Loop() {
					side.f(v)
				}
			})
		}
	}
}
