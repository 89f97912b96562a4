package sessions

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

// The form is written down in doc/disk.md, for people and other programs. When
// this test needs another text, so does the document, and journalVersion.
func TestJournalFormIsAsWrittenDown(t *testing.T) {
	text := header{identity{1834, 0x59a1d2c55b8f8c4e}, 41}.line()
	text = appendChanges(text, 42, 42, 1795748697355, []change{{key: "agent:main:a", entry: rawjson.Value(`{"sessionId":"x"}`), was: "0c1d55e0a7b3f9aa"}})
	text = appendChanges(text, 43, 43, 1795748697361, []change{{key: "Agent:Main:B", was: "77f0000000000001"}, {key: "agent:main:b", entry: rawjson.Value(`{}`)}})
	text = append(text, checkpointLine(identity{1902, 0xe2}, 43)...)
	const want = `{"v":1,"base":{"size":1834,"hash":"59a1d2c55b8f8c4e"},"n":41,"crc":"CRC"}
{"n":42,"b":42,"t":1795748697355,"set":[["agent:main:a",{"sessionId":"x"},"0c1d55e0a7b3f9aa"]],"crc":"CRC"}
{"n":43,"b":43,"t":1795748697361,"set":[["Agent:Main:B",null,"77f0000000000001"],["agent:main:b",{},null]],"crc":"CRC"}
{"ckpt":{"size":1902,"hash":"00000000000000e2"},"n":43,"crc":"CRC"}
`
	got := regexp.MustCompile(`"crc":"[0-9a-f]{8}"`).ReplaceAllString(string(text), `"crc":"CRC"`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// A known checksum, so that another implementation can compare.
	if got, want := string(header{}.line()), `{"v":1,"base":null,"n":0,"crc":"9e273008"}`+"\n"; got != want {
		t.Errorf("header of an empty store: %s, want %s", got, want)
	}
	doc, err := os.ReadFile("../../doc/disk.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`{"v":1,"base":{"size":1834,"hash":"59a1d2c55b8f8c4e"},"n":41,"crc":"`, `"set":[["Agent:Main:B",null,`, `{"ckpt":{"size":1902,"hash":"`} {
		if !strings.Contains(string(doc), part) {
			t.Errorf("doc/disk.md lacks %s", part)
		}
	}
}
