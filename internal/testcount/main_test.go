package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	const events = `go test -race ./...
{"Action":"start","Package":"p/a"}
{"Action":"run","Package":"p/a","Test":"TestGood"}
{"Action":"output","Package":"p/a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"p/a","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"p/a","Test":"TestBad/sub","Output":"why\n"}
{"Action":"fail","Package":"p/a","Test":"TestBad/sub","Elapsed":0}
{"Action":"fail","Package":"p/a","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"p/a","Test":"TestLater","Output":"no node\n"}
{"Action":"skip","Package":"p/a","Test":"TestLater","Elapsed":0}
{"Action":"output","Package":"p/a","Output":"FAIL\n"}
{"Action":"fail","Package":"p/a","Elapsed":1.25}
{"Action":"output","Package":"p/b","Test":"TestPanics","Output":"panic: x\n"}
{"Action":"fail","Package":"p/b","Elapsed":0}
{"Action":"build-output","ImportPath":"p/c","Output":"c.go:1: bad\n"}
{"Action":"build-fail","ImportPath":"p/c"}
{"Action":"fail","Package":"p/c","Elapsed":0}
{"Action":"skip","Package":"p/d","Elapsed":0}
`
	const want = `go test -race ./...
why
no node
FAIL  p/a: 1 passed, 2 failed, 1.2 s
panic: x
FAIL  p/b: 0 passed, 0 failed, 0.0 s
c.go:1: bad
FAIL  p/c: 0 passed, 0 failed, 0.0 s
ok    p/d: 0 passed, 0.0 s
`
	var out strings.Builder
	got, err := count(strings.NewReader(events), &out)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if want := (counts{passed: 1, failed: 4, skipped: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCountShowsBothEndsOfLongOutput(t *testing.T) {
	long := "begin" + strings.Repeat("x", 2*(headShown+tailShown)) + "end"
	var out strings.Builder
	if _, err := count(strings.NewReader(`{"Action":"output","Package":"p","Test":"T","Output":"`+long+`"}`+"\n"+`{"Action":"fail","Package":"p","Test":"T"}`), &out); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	if !strings.HasPrefix(got, "beginx") || !strings.HasSuffix(got, "xend") || len(got) > headShown+tailShown+100 {
		t.Errorf("%d bytes shown, from %.10q to %q", len(got), got, got[max(0, len(got)-10):])
	}
}
