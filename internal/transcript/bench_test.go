package transcript

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// large says to measure files of a gigabyte, too: PARLEY_BENCH_LARGE=1.
var large = os.Getenv("PARLEY_BENCH_LARGE") != ""

// writeLong writes a transcript of so many questions and answers, with
// texts of so many bytes, and returns how large it is.
func writeLong(b *testing.B, path string, messages, textBytes int) int64 {
	b.Helper()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprintln(w, testHeader)
	const paragraph = `Some words of an answer, as long as a paragraph of one is: it says \"this\" and that, has commas, and now and then a digit or 2. ` +
		`At its end a line ends, too, which in JSON is an escape, and that is all.\n`
	words := strings.Repeat(paragraph, max(1, textBytes/len(paragraph)))
	parent := "null"
	for i := range messages {
		id := fmt.Sprintf("%08x", uint32(i)*2654435761)
		fmt.Fprintf(w, `{"type":"message","id":"%s","parentId":%s,"timestamp":"2026-01-05T10:00:01.000Z","message":`, id, parent)
		if i%2 == 0 {
			fmt.Fprintf(w, `{"role":"user","content":[{"type":"text","text":"%s"}],"timestamp":1767607201000,"idempotencyKey":"run-%d"}}`+"\n", words, i)
		} else {
			fmt.Fprintf(w, `{"role":"assistant","content":[{"type":"text","text":"%s"}],"api":"openai-completions","provider":"p","model":"m",`+
				`"usage":{"input":100,"output":20,"cacheRead":0,"cacheWrite":0,"totalTokens":120,"cost":{"input":0.1,"output":0.2,"cacheRead":0,"cacheWrite":0,"total":0.3}},`+
				`"stopReason":"stop","timestamp":1767607201000}}`+"\n", words)
		}
		parent = `"` + id + `"`
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// sizes are transcripts by their size.
func sizes() map[string]int {
	out := map[string]int{"1MB": 700, "100MB": 70_000}
	if large {
		out["1GB"] = 700_000
	}
	return out
}

// bySize runs f on a library that knows transcripts of each size.
func bySize(b *testing.B, f func(b *testing.B, x *fixture)) {
	for name, messages := range sizes() {
		b.Run(name, func(b *testing.B) {
			x := newFixture(b)
			writeLong(b, x.path("s"), messages, 1200)
			if n, err := x.Count(x.ref("s")); n != messages || err != nil {
				b.Fatal(n, err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			f(b, x)
		})
	}
}

func BenchmarkGet50(b *testing.B) {
	bySize(b, func(b *testing.B, x *fixture) {
		for b.Loop() {
			if list, err := x.Messages(x.ref("s"), 50); len(list) != 50 || err != nil {
				b.Fatal(len(list), err)
			}
		}
	})
}

func BenchmarkPreview20(b *testing.B) {
	bySize(b, func(b *testing.B, x *fixture) {
		for b.Loop() {
			if _, list, err := x.Preview(x.ref("s"), 20, 240); len(list) != 20 || err != nil {
				b.Fatal(len(list), err)
			}
		}
	})
}

// BenchmarkPage reads 50 messages in the middle.
func BenchmarkPage(b *testing.B) {
	bySize(b, func(b *testing.B, x *fixture) {
		n, _ := x.Count(x.ref("s"))
		for b.Loop() {
			if list, err := x.Before(x.ref("s"), n/2, 50); len(list) != 50 || err != nil {
				b.Fatal(len(list), err)
			}
		}
	})
}

func BenchmarkHasIdempotency(b *testing.B) {
	bySize(b, func(b *testing.B, x *fixture) {
		for b.Loop() {
			if !x.HasIdempotency(x.ref("s"), "run-100") || x.HasIdempotency(x.ref("s"), "run-101") {
				b.Fatal("wrong")
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, messages := range []int{10, 1_000_000} {
		b.Run(fmt.Sprintf("messages=%d", messages), func(b *testing.B) {
			x := newFixture(b)
			writeLong(b, x.path("s"), messages, 34)
			if _, err := x.Append(x.ref("s"), "/", messageLine("user", "first")); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				if _, err := x.Append(x.ref("s"), "/", messageLine("user", "hi")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkColdScan makes the index of a file that nothing is known of.
func BenchmarkColdScan(b *testing.B) {
	for _, text := range []int{200, 1200, 100_000} {
		b.Run(fmt.Sprintf("text=%d", text), func(b *testing.B) {
			x := newFixture(b)
			messages := 100_000_000 / (text + 400)
			b.SetBytes(writeLong(b, x.path("s"), messages, text))
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				x.cache.drop(x.path("s"))
				if n, err := x.Count(x.ref("s")); n != messages || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkIndexMemory tells what is left in memory for each message.
func BenchmarkIndexMemory(b *testing.B) {
	messages := 200_000
	if large {
		messages = 700_000
	}
	x := newFixture(b)
	writeLong(b, x.path("s"), messages, 1200)
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		x.cache.drop(x.path("s"))
		before := heap()
		if n, err := x.Count(x.ref("s")); n != messages || err != nil {
			b.Fatal(n, err)
		}
		b.ReportMetric((heap()-before)/float64(messages), "B/message")
	}
}

// BenchmarkUsageAbsent is what the transcript of a row costs that has none, alone
// and among others.
func BenchmarkUsageAbsent(b *testing.B) {
	for name, dirs := range map[string]*Dirs{"alone": nil, "among": {}} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(b)
			r := f.ref("s")
			r.Dirs = dirs
			for b.Loop() {
				f.Look(r).Usage()
			}
		})
	}
}

// BenchmarkShort is what ten messages cost that nobody has asked for before, as
// they are stored and as they are shown.
func BenchmarkShort(b *testing.B) {
	for name, show := range map[string]func([]Message){"get": func([]Message) {}, "history": func(m []Message) { History(m) }} {
		b.Run(name, func(b *testing.B) {
			x := newFixture(b)
			writeLong(b, x.path("s"), 10, 600)
			p, err := x.existing(x.ref("s"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				x.cache.drop(p.key())
				list, err := x.Messages(x.ref("s"), 200)
				if err != nil || len(list) != 10 {
					b.Fatal(len(list), err)
				}
				show(list)
			}
		})
	}
}

// BenchmarkShortPreview is the preview of ten messages that nobody has asked for before.
func BenchmarkShortPreview(b *testing.B) {
	x := newFixture(b)
	writeLong(b, x.path("s"), 10, 600)
	b.ReportAllocs()
	for b.Loop() {
		if _, lines, err := x.Preview(x.ref("s"), 12, 240); len(lines) != 10 || err != nil {
			b.Fatal(len(lines), err)
		}
	}
}
