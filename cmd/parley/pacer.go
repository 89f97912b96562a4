package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	// headroom is what a busy gateway may allocate between two garbage collections
	// at least. It holds little and allocates much: by the usual measure, as much
	// as lives, it would collect many times a second.
	headroom = 32 << 20
	// busy is the time between collections, by the usual measure, below which the
	// gateway is busy.
	busy = 500 * time.Millisecond
	// usual is the runtime's own setting.
	usual = 100
)

// pacer lets the runtime collect less often while the gateway is busy. An idle
// gateway keeps the usual measure, and so little memory.
type pacer struct {
	percent int       // in force
	last    time.Time // of the collections
	stopped atomic.Bool
}

// pace starts pacing, until the function it returns is called. What an operator
// set for the runtime stands.
func pace() (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	p := &pacer{percent: usual, last: time.Now()}
	p.arm()
	return func() {
		p.stopped.Store(true)
		debug.SetGCPercent(usual)
	}
}

// arm has collected called after the next collection, on the goroutine of the
// runtime that runs finalizers.
func (p *pacer) arm() {
	runtime.SetFinalizer(&struct{ p *pacer }{p}, func(s *struct{ p *pacer }) { s.p.collected() })
}

func (p *pacer) collected() {
	if p.stopped.Load() {
		return
	}
	now := time.Now()
	next := percentFor(now.Sub(p.last), p.percent, liveHeap())
	p.last = now
	if next != p.percent {
		p.percent = next
		debug.SetGCPercent(next)
	}
	p.arm()
}

// percentFor is the setting for a heap of live bytes that was collected after gap
// under another one.
func percentFor(gap time.Duration, percent int, live uint64) int {
	if gap*usual/time.Duration(percent) >= busy || live == 0 {
		return usual
	}
	const step = 50 // each change stops the world for a moment
	return min(max(usual, int(headroom*100/live)/step*step), 8*usual)
}

func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
