package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
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
	// rest is how long after the last collection of a busy time what it left behind
	// is given back to the system.
	rest = 2 * time.Second
)

// pacer lets the runtime collect less often while the gateway is busy. An idle
// gateway keeps the usual measure, and so little memory.
type pacer struct {
	mu      sync.Mutex // guards all below
	percent int        // in force
	last    time.Time  // of the collections
	idle    *time.Timer
	stopped bool
}

// pace starts pacing, until the function it returns is called. What an operator
// set for the runtime stands.
func pace() (stop func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	p := &pacer{percent: usual, last: time.Now()}
	p.idle = time.AfterFunc(rest, p.relax) // a start leaves much behind
	p.arm()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stopped = true
		p.idle.Stop()
		debug.SetGCPercent(usual)
	}
}

// relax ends a busy time: nothing would be collected for minutes once nothing is
// allocated any more.
func (p *pacer) relax() {
	p.mu.Lock()
	stopped := p.stopped
	if !stopped && p.percent != usual {
		p.percent = usual
		debug.SetGCPercent(usual)
	}
	p.mu.Unlock()
	if !stopped {
		debug.FreeOSMemory()
	}
}

// arm has collected called after the next collection, on the goroutine of the
// runtime that runs finalizers.
func (p *pacer) arm() {
	runtime.SetFinalizer(&struct{ p *pacer }{p}, func(s *struct{ p *pacer }) { s.p.collected() })
}

func (p *pacer) collected() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	now := time.Now()
	next := percentFor(now.Sub(p.last), p.percent, liveHeap())
	p.last = now
	if next != p.percent {
		p.percent = next
		debug.SetGCPercent(next)
	}
	if next != usual {
		p.idle.Reset(rest)
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
