package transcript

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// longFile writes a transcript of some 50 MB.
func longFile(b *testing.B) *fixture {
	b.Helper()
	f := newFixture(b)
	var w bytes.Buffer
	fmt.Fprintln(&w, testHeader)
	parent := ""
	for i := range 40_000 {
		id := fmt.Sprintf("%08x", i)
		fmt.Fprintln(&w, testMessage(id, parent, "assistant", strings.Repeat("some words ", 100)))
		parent = id
	}
	if err := os.WriteFile(f.path("s"), w.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return f
}

func BenchmarkColdScan(b *testing.B) {
	f := longFile(b)
	info, err := os.Stat(f.path("s"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		f.cache.drop(f.path("s"))
		if n, err := f.Count(f.ref("s")); n != 40_000 || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkLastMessages(b *testing.B) {
	f := longFile(b)
	for b.Loop() {
		if list, err := f.Messages(f.ref("s"), 20); len(list) != 20 || err != nil {
			b.Fatal(len(list), err)
		}
	}
}

func BenchmarkUsageKnown(b *testing.B) {
	f := longFile(b)
	f.Usage(f.ref("s"))
	for b.Loop() {
		f.Usage(f.ref("s"))
	}
}

func BenchmarkUsageAbsent(b *testing.B) {
	f := newFixture(b)
	for b.Loop() {
		f.Usage(f.ref("s"))
	}
}

func BenchmarkAppendToLongFile(b *testing.B) {
	f := longFile(b)
	for b.Loop() {
		if _, err := f.Append(f.ref("s"), "/", messageLine("user", "hi")); err != nil {
			b.Fatal(err)
		}
	}
}
