package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// audience are clients that listen to sessions.changed, and count what they hear.
type audience struct {
	cs    crowd
	heard atomic.Int64
	gone  sync.WaitGroup
}

// listen connects n of them; each calls hear with every event of that name.
func listen(ctx context.Context, p *process, n int, subscribe, event string, hear func(client int, frame []byte)) (*audience, error) {
	cs, err := gather(ctx, p, n)
	if err != nil {
		return nil, err
	}
	a := &audience{cs: cs}
	var g group
	for _, c := range cs {
		g.do(func() error {
			if subscribe == "" {
				return nil
			}
			_, err := c.ask(subscribe)
			return err
		})
	}
	if err := g.wait(); err != nil {
		cs.leave()
		return nil, err
	}
	name := []byte(`"event":"` + event + `"`)
	for i, c := range cs {
		a.gone.Go(func() {
			for {
				frame, err := c.read()
				if err != nil {
					return
				}
				if !bytes.Contains(frame[:min(len(frame), 80)], name) {
					continue
				}
				a.heard.Add(1)
				if hear != nil {
					hear(i, frame)
				}
			}
		})
	}
	return a, nil
}

func (a *audience) leave() {
	a.cs.leave()
	a.gone.Wait()
}

const (
	subscribeSessions = `{"type":"req","id":"1","method":"sessions.subscribe","params":{}}`
	subscribeFloor    = `{"type":"req","id":"1","method":"floor.subscribe","params":{}}`
)

// fanOut measures how many sessions.changed reach subscribers while one client
// patches as fast as it can, beside a floor that publishes frames of that size
// after each append and sync.
func (b *bench) fanOut(ctx context.Context) error {
	s, err := b.sides(ctx, 1000, "", "")
	if err != nil {
		return err
	}
	defer s.stop()
	for _, n := range []int{1, 100, b.pick(1000, 200)} {
		if err := b.fanOutTo(ctx, s, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) fanOutTo(ctx context.Context, s sides, n int) error {
	var size atomic.Int64
	parley, err := listen(ctx, s.parley, n, subscribeSessions, "sessions.changed", func(client int, frame []byte) {
		if client == 0 {
			size.Store(int64(len(frame)))
		}
	})
	if err != nil {
		return err
	}
	defer parley.leave()
	floor, err := listen(ctx, s.floor, n, subscribeFloor, "floor", nil)
	if err != nil {
		return err
	}
	defer floor.leave()
	var ours, theirs []Figures
	for round := range b.o.Rounds + 1 {
		p, err := b.deliveries(ctx, s.parley, parley, ask(func(_, n int) string { return patch(n%1000, n) }))
		if err != nil {
			return err
		}
		text := request("floor.publish", fmt.Sprintf(`{"bytes":%d,"syncs":1,"answer":900}`, size.Load()))
		f, err := b.deliveries(ctx, s.floor, floor, ask(func(int, int) string { return text }))
		if err != nil {
			return err
		}
		p.Size, f.Size = int(size.Load()), int(size.Load())
		if round > 0 { // the first one warms, and tells the size
			ours, theirs = append(ours, p), append(theirs, f)
		}
	}
	p, f := medians(ours), medians(theirs)
	b.add(Row{
		Name: "sessions.changed while one client patches", Clients: n, Parley: &p, Floor: &f,
		Value: ratio(ours, theirs), Unit: "of the floor's deliveries", Target: 0.7,
	})
	return nil
}

// deliveries is how many events an audience gets a second while one client does
// something; the CPU is that of a delivery.
func (b *bench) deliveries(ctx context.Context, p *process, a *audience, do op) (Figures, error) {
	cs, err := gather(ctx, p, 1)
	if err != nil {
		return Figures{}, err
	}
	defer cs.leave()
	before, began := a.heard.Load(), time.Now()
	u, err := usageOf(p.pid)
	if err != nil {
		return Figures{}, err
	}
	f, err := closed(p, cs, b.o.Duration, []int{0}, do)
	all := a.quiet().Sub(began)
	n := float64(a.heard.Load() - before)
	v, err2 := usageOf(p.pid)
	if err == nil {
		err = err2
	}
	f.Rate = n / all.Seconds()
	f.CPU = micros(v.cpu-u.cpu) / max(n, 1)
	return f, err
}

// quiet waits until nothing is heard any more, and returns since when.
func (a *audience) quiet() (since time.Time) {
	for last := int64(-1); ; {
		heard := a.heard.Load()
		switch {
		case heard != last:
			last, since = heard, time.Now()
		case time.Since(since) > silence:
			return since
		}
		time.Sleep(time.Millisecond)
	}
}

// silence is how long nothing must come for all to have come.
const silence = 100 * time.Millisecond

// steady measures how late sessions.changed is at a thousand subscribers, from
// the moment of the call, at 30 patches a second, and that none is missing.
func (b *bench) steady(ctx context.Context) error {
	p, err := b.gateway(ctx, b.o.Parley, 1000, "")
	if err != nil {
		return err
	}
	defer p.stop()
	n := b.pick(1000, 50)
	var sent [1 << 16]atomic.Int64 // when the patch with this number was called
	late := make([][]time.Duration, n)
	a, err := listen(ctx, p, n, subscribeSessions, "sessions.changed", func(client int, frame []byte) {
		_, rest, _ := bytes.Cut(frame, []byte(`"label":"at `))
		number, _, _ := bytes.Cut(rest, []byte(`"`))
		if i, err := strconv.Atoi(string(number)); err == nil && i < len(sent) {
			late[client] = append(late[client], time.Duration(time.Now().UnixNano()-sent[i].Load()))
		}
	})
	if err != nil {
		return err
	}
	defer a.leave()
	cs, err := gather(ctx, p, 1)
	if err != nil {
		return err
	}
	defer cs.leave()
	calls := b.pick(30*int(max(5*b.o.Duration, 5*time.Second)/time.Second), 10)
	pace := time.NewTicker(time.Second / 30)
	defer pace.Stop()
	for i := range calls {
		<-pace.C
		sent[i].Store(time.Now().UnixNano())
		if _, err := cs[0].ask(request("sessions.patch", fmt.Sprintf(`{"key":%q,"label":"at %d"}`, key(i%1000), i))); err != nil {
			return err
		}
	}
	a.quiet()
	a.leave() // late is at rest
	all := slices.Concat(late...)
	slices.Sort(all)
	b.add(Row{Name: "missing sessions.changed at 30 patches/s", Clients: n, Value: float64(n*calls - len(all)), Unit: "events", Target: 0.5, Most: true})
	b.add(Row{Name: "sessions.changed at 30 patches/s, p99 from the call", Clients: n, Value: millis(quantile(all, 0.99)), Unit: "ms", Target: 50, Most: true})
	return nil
}
