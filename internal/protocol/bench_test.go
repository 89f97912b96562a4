package protocol

import (
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/rawjson"
)

const sendParams = `{"sessionKey":"agent:main:main","message":"What is the weather like in Vienna today?","idempotencyKey":"8d0c2f0e-0f57-4a6e-9a5e-3a3ad6a1a0de","timeoutMs":60000}`

func BenchmarkFrame(b *testing.B) {
	v := newTestValidator(b)
	frame := []byte(`{"type":"req","id":"12","method":"chat.send","params":` + sendParams + `}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := v.Frame(frame); problems != "" {
			b.Fatal(problems)
		}
	}
}

func BenchmarkParams(b *testing.B) {
	v := newTestValidator(b)
	big := `{"sessionKey":"main","message":"look","idempotencyKey":"i","attachments":[{"content":"` + strings.Repeat("A", 4<<20) + `"}]}`
	for name, c := range map[string]vector{
		"send":       {"chat.send", sendParams, ""},
		"list":       {"sessions.list", `{"limit":50,"includeGlobal":true}`, ""},
		"none":       {"models.list", `{}`, ""},
		"attachment": {"chat.send", big, ""},
		"refused":    {"sessions.list", `{"limit":0,"activeMinutes":"x","label":"","foo":1,"search":3}`, ""},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := v.Params(c.method, rawjson.Value(c.params)); (got == "") != (name != "refused") {
					b.Fatal(got)
				}
			}
		})
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	payload := rawjson.Value(sendParams)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(buf[:0], "sessions.changed", payload, nil)
	}
}

func BenchmarkNewValidator(b *testing.B) {
	for b.Loop() {
		if _, err := NewValidator(); err != nil {
			b.Fatal(err)
		}
	}
}
