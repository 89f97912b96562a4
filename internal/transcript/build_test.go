package transcript

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/rawjson"
)

// oddTranscript is a transcript with all that can be in one, also what should
// not be.
func oddTranscript(r *rand.Rand, lines int) string {
	var b strings.Builder
	ids := []string{""}
	for i := range lines {
		id := fmt.Sprintf("%08x", r.Uint32())
		switch r.IntN(8) {
		case 0:
			id = fmt.Sprint("odd-", i)
		case 1:
			id = ids[r.IntN(len(ids))] // a second time
		}
		parent := ids[len(ids)-1]
		if r.IntN(5) == 0 {
			parent = ids[r.IntN(len(ids))]
		}
		switch r.IntN(14) {
		case 0:
			b.WriteString(`{"type":"session","id":"again"}`)
		case 1:
			b.WriteString("no JSON")
		case 2:
			b.WriteString(strings.Repeat(" ", r.IntN(3)))
		case 3:
			fmt.Fprintf(&b, `{"message":"no id %d"}`, i)
		case 4:
			fmt.Fprintf(&b, `{"type":"custom","customType":"model-snapshot","id":%q,"parentId":%q,"data":{"modelId":"m%d"}}`, id, parent, i)
			ids = append(ids, id)
		case 5:
			fmt.Fprintf(&b, `{"type":"compaction","id":%q,"parentId":%q}`+"\r", id, parent)
			ids = append(ids, id)
		default:
			fmt.Fprintf(&b, `{"type":"message","id":%q,"parentId":%q,"message":{"role":"assistant","model":"m%d","idempotencyKey":"k%d","content":"%s",`+
				`"usage":{"input":%d,"cost":{"total":0.%d}}}}`, id, parent, r.IntN(3), i, strings.Repeat("x", r.IntN(300)), r.IntN(3), 1+r.IntN(9))
			ids = append(ids, id)
		}
		b.WriteByte('\n')
	}
	if r.IntN(2) == 0 {
		b.WriteString(`{"type":"mess`)
	}
	return b.String()
}

// However a file is cut into parts, the index is that of the whole.
func TestScanInParts(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		content := oddTranscript(r, r.IntN(80))
		if seed%2 == 0 {
			content = testHeader + "\n" + content
		}
		size := int64(len(content))
		whole, err := scanParts(strings.NewReader(content), size, 1)
		if err != nil {
			t.Fatal(err)
		}
		for n := 2; n < 12; n++ {
			parts, err := scanParts(strings.NewReader(content), size, n)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(whole.plain(), parts.plain(), plainly); diff != "" {
				t.Fatalf("seed %d in %d parts: %s\n%s", seed, n, diff, content)
			}
		}
	}
}

// simpleLines is what the table should say, by the rules and the general
// decoder.
func simpleLines(content string) (out []span, orphans int) {
	ids := map[string]int32{}
	parsed, off := 0, int64(0)
	for raw := range strings.SplitSeq(content, "\n") {
		at := off
		off += int64(len(raw)) + 1
		f, ok := fieldsByLibrary([]byte(strings.TrimSuffix(raw, "\r")))
		if !ok {
			continue
		}
		if parsed++; parsed == 1 && f.header() {
			continue
		}
		id, hasID := rawjson.Text(readable(f.ID))
		hasID = hasID && text(f.Type) != "session"
		s := span{pos: int32(len(out)), off: at, n: int64(len(raw)), parent: -1, kind: kindOf(&f), listed: f.listed(), hasID: hasID}
		if hasID {
			s.id, s.usual = idOf(f.ID)
			parent := text(f.ParentID)
			if p, ok := ids[parent]; ok && parent != "" {
				s.parent = p
			} else if parent != "" && len(ids) > 0 {
				orphans++
			}
			ids[id] = s.pos
		}
		if hasID || s.listed {
			out = append(out, s)
		}
	}
	return out, orphans
}

// FuzzIndex makes the index of any bytes in parts and compares it with the
// simple one.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(joinLines(chain(3)...)), uint8(3))
	f.Add([]byte("\n\r\n"+testMessage("a", "a", "user", "x")+"\r\n"+testMessage("b", "a", "assistant", "y")), uint8(5))
	f.Add([]byte(oddTranscript(rand.New(rand.NewPCG(7, 7)), 12)), uint8(2))
	f.Add([]byte("{\"id\":\"\",\"parentId\":\"\"}\n{\"id\":\"\\u0061\",\"parentId\":\"\xff\"}\n{\"id\":\"\xff\",\"parentId\":\"a\"}"), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		want, orphans := simpleLines(string(data))
		whole, err := scanParts(bytes.NewReader(data), int64(len(data)), 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, whole.plain().lines, plainly); diff != "" || whole.orphans != orphans {
			t.Fatalf("%d orphans, want %d; %s", whole.orphans, orphans, diff)
		}
		parts, err := scanParts(bytes.NewReader(data), int64(len(data)), 1+int(n%16))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole.plain(), parts.plain(), plainly); diff != "" {
			t.Fatalf("in %d parts: %s", 1+n%16, diff)
		}
		if _, err := check(bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatal(err)
		}
	})
}

// A parent is the last line before its child that has the id, and whatever it
// is called.
func TestParents(t *testing.T) {
	for _, tt := range []struct {
		parents string // id:parent, in order
		want    []int32
	}{
		{"a: b:a c:b", []int32{-1, 0, 1}},
		{"a: b:a a:b c:a d:b", []int32{-1, 0, 1, 2, 1}},
		{"a:b b:c c:c", []int32{-1, -1, -1}},
		{"00000001: 0000000A:00000001 00000002:00000001 00000003:0000000A", []int32{-1, 0, 0, 1}},
		{"x: y:x z:x w:\\u0078", []int32{-1, 0, 0, 0}},
	} {
		var b strings.Builder
		for _, pair := range strings.Fields(tt.parents) {
			id, parent, _ := strings.Cut(pair, ":")
			fmt.Fprintf(&b, `{"id":"%s","parentId":"%s"}`+"\n", id, parent)
		}
		ix, err := scan(strings.NewReader(b.String()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		var got []int32
		for i := range ix.lines.n {
			got = append(got, ix.lines.parent(i))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.parents, diff)
		}
	}
}

// A line that cannot be held counts as damage; the others stay readable.
func TestLineThatIsTooLong(t *testing.T) {
	one, two := testMessage("00000001", "", "user", "a"), testMessage("00000002", "00000001", "user", "b")
	for _, length := range []int{1001, 5000, 200_000} {
		for _, tail := range []string{"\n" + two + "\n", "\n", ""} {
			content := one + "\n" + strings.Repeat("x", length) + tail
			in := newLinesFrom(strings.NewReader(content), 0, int64(len(content)), 512)
			in.max = 1000
			b := &builder{index: newIndex()}
			for {
				line, ok, err := in.line()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				b.add(line)
			}
			if b.bad != 1 || b.listed() != 1+len(tail)/len(two) || b.ended != (tail != "") || in.off != int64(len(content)) {
				t.Errorf("%d bytes, then %.10q: %d bad lines, %d messages, ended %v, at %d", length, tail, b.bad, b.listed(), b.ended, in.off)
			}
		}
	}
}
