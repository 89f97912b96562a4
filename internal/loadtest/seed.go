package loadtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// seed makes a state directory with so many sessions, the newest withTranscript
// of them with a transcript of ten messages.
func seed(state string, entries, withTranscript int) error {
	dir := filepath.Join(state, "agents", "main", "sessions")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "sessions.json"))
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	now := time.Now().UnixMilli()
	for i := range entries {
		head := ",\n  "
		if i == 0 {
			head = "{\n  "
		}
		fmt.Fprintf(w, `%s%q: %s`, head, key(i), entry(i, now-int64(entries-i)*1000))
	}
	if entries == 0 {
		fmt.Fprint(w, "{")
	}
	fmt.Fprint(w, "\n}\n")
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return transcripts(state, max(0, entries-withTranscript), entries, 10, 600)
}

// transcripts writes those of the sessions from one to before another.
func transcripts(state string, from, to, messages, size int) error {
	text, err := transcript(id(from), messages, size)
	for i := from; i < to && err == nil; i++ {
		file := filepath.Join(state, "agents", "main", "sessions", id(i)+".jsonl")
		err = os.WriteFile(file, bytes.Replace(text, []byte(id(from)), []byte(id(i)), 1), 0o600)
	}
	return err
}

func key(i int) string { return fmt.Sprintf("agent:main:s%06d", i) }

func id(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// entry is a session as runs leave it, some 1.2 KB.
func entry(i int, updatedAt int64) string {
	return fmt.Sprintf(`{"sessionId":%q,"updatedAt":%d,"systemSent":true,"abortedLastRun":false,"label":"session %d","chatType":"direct",`+
		`"deliveryContext":{"channel":"webchat"},"lastChannel":"webchat","origin":{"provider":"webchat","surface":"webchat","chatType":"direct"},`+
		`"compactionCount":0,"status":"done","startedAt":%d,"endedAt":%d,"runtimeMs":900,"modelProvider":"echo","model":"echo","contextTokens":128000,`+
		`"inputTokens":100,"outputTokens":40,"totalTokens":100,"totalTokensFresh":true,"estimatedCostUsd":0.002,"cacheRead":0,"cacheWrite":0,"note":%q}`,
		id(i), updatedAt, i, updatedAt-900, updatedAt, strings.Repeat("n", 500))
}

// transcript has so many messages of a size, user and assistant by turns.
func transcript(id string, messages, size int) ([]byte, error) {
	w := new(bytes.Buffer)
	at := time.Now().Add(-time.Hour)
	fmt.Fprintf(w, `{"type":"session","version":3,"id":%q,"timestamp":%q,"cwd":"/"}`+"\n", id, at.UTC().Format("2006-01-02T15:04:05.000Z"))
	text, err := json.Marshal(strings.Repeat("some words of a message ", size/24+1)[:size])
	if err != nil {
		return nil, err
	}
	parent := "null"
	for i := range messages {
		stamp := at.Add(time.Duration(i) * time.Millisecond)
		more := `"role":"user"`
		if i%2 == 1 {
			more = `"role":"assistant","api":"echo","provider":"echo","model":"echo","usage":{"input":100,"output":40,"cacheRead":0,"cacheWrite":0,"totalTokens":140,"cost":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"total":0}},"stopReason":"stop"`
		}
		line := fmt.Sprintf("%08x", i+1)
		fmt.Fprintf(w, `{"type":"message","id":%q,"parentId":%s,"timestamp":%q,"message":{%s,"content":[{"type":"text","text":%s}],"timestamp":%d}}`+"\n",
			line, parent, stamp.UTC().Format("2006-01-02T15:04:05.000Z"), more, text, stamp.UnixMilli())
		parent = `"` + line + `"`
	}
	return w.Bytes(), nil
}
