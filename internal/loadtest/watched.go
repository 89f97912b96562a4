package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// watched measures four runs at a time whose answers come slowly, watched by a
// thousand operators: how late the end is, and what CPU a run takes beside a floor
// that sends as many frames of the same size at the same pace.
func (b *bench) watched(ctx context.Context) error {
	m, err := newModel()
	if err != nil {
		return err
	}
	defer m.close()
	s, err := b.sides(ctx, 0, m.config(""), "")
	if err != nil {
		return err
	}
	defer s.stop()
	n := b.pick(1000, 30)
	var mu sync.Mutex // guards late
	var late []time.Duration
	var frames, size atomic.Int64
	cs, err := gather(ctx, s.parley, n)
	if err != nil {
		return err
	}
	var gone sync.WaitGroup
	for client, c := range cs {
		gone.Go(func() {
			for {
				frame, err := c.read()
				if err != nil {
					return
				}
				if client == 0 {
					frames.Add(1)
					size.Add(int64(len(frame)))
				}
				if bytes.Contains(frame, []byte(`"state":"final"`)) {
					_, rest, _ := bytes.Cut(frame, []byte(`"runId":"`))
					id, _, _ := bytes.Cut(rest, []byte(`"`))
					end := m.endOf(string(id))
					mu.Lock()
					late = append(late, max(time.Since(end), 0))
					mu.Unlock()
				}
			}
		})
	}
	rounds, deltas := b.pick(max(b.o.Rounds, 3), 1), b.pick(300, 30)
	began := time.Now()
	before, err := usageOf(s.parley.pid)
	if err == nil {
		err = b.slowRuns(ctx, s.parley, rounds, deltas, func() int { mu.Lock(); defer mu.Unlock(); return len(late) }, n)
	}
	after, err2 := usageOf(s.parley.pid)
	all := time.Since(began)
	cs.leave()
	gone.Wait()
	if err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	total := float64(4 * rounds)
	slices.Sort(late)
	b.add(Row{Name: "final of 4 watched runs, p99 from the model's last byte", Clients: n, Value: millis(quantile(late, 0.99)), Unit: "ms", Target: 250, Most: true,
		Note: fmt.Sprintf("%d of %d finals", len(late), 4*rounds*n)})
	ours := micros(after.cpu-before.cpu) / total / 1000
	theirs, err := b.sameFrames(ctx, s.floor, n, rounds, all, int(frames.Load())/rounds, int(size.Load()/max(frames.Load(), 1)))
	if err != nil {
		return err
	}
	b.add(Row{Name: "CPU of a watched run", Clients: n, Value: ours / theirs, Unit: "times the floor's", Target: 1.5, Most: true,
		Note: fmt.Sprintf("%.0f ms, floor %.0f ms; %d frames of %d bytes to each operator in a round of four runs", ours, theirs, int(frames.Load())/rounds, size.Load()/max(frames.Load(), 1))})
	return nil
}

// slowRuns does rounds of four runs whose answers come piece by piece, 3 ms apart,
// and waits until all watchers have heard the end.
func (b *bench) slowRuns(ctx context.Context, p *process, rounds, deltas int, heard func() int, watchers int) error {
	c, err := open(ctx, p.url, nil)
	if err != nil {
		return err
	}
	defer c.close()
	go func() { // so that it is no slow client
		for {
			if _, err := c.read(); err != nil {
				return
			}
		}
	}()
	for round := range rounds {
		for i := range 4 {
			id := fmt.Sprintf("w-%d-%d", round, i)
			text := fmt.Sprintf(`{"type":"req","id":"1","method":"chat.send","params":{"sessionKey":"w%d","message":"pieces %d 3 %s","idempotencyKey":"%s"}}`, i, deltas, id, id)
			if err := c.send(text); err != nil {
				return err
			}
		}
		limit := time.Now().Add(wait)
		for heard() < (round+1)*4*watchers {
			if time.Now().After(limit) {
				return fmt.Errorf("after %v %d of %d ends were heard", wait, heard(), (round+1)*4*watchers)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// sameFrames lets the floor send as many frames in the same time, and returns the
// CPU of a quarter of a round in ms.
func (b *bench) sameFrames(ctx context.Context, p *process, n, rounds int, all time.Duration, frames, size int) (float64, error) {
	a, err := listen(ctx, p, n, subscribeFloor, "floor", nil)
	if err != nil {
		return 0, err
	}
	defer a.leave()
	c, err := open(ctx, p.url, nil)
	if err != nil {
		return 0, err
	}
	defer c.close()
	before, err := usageOf(p.pid)
	if err != nil {
		return 0, err
	}
	pace := time.NewTicker(max(all/time.Duration(max(rounds*frames, 1)), 100*time.Microsecond))
	defer pace.Stop()
	for range rounds * frames {
		<-pace.C
		if _, err := c.ask(request("floor.publish", fmt.Sprintf(`{"bytes":%d}`, size))); err != nil {
			return 0, err
		}
	}
	a.quiet()
	after, err := usageOf(p.pid)
	return micros(after.cpu-before.cpu) / float64(4*rounds) / 1000, err
}
