package loadtest

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"
)

// starts measures the time from the start of the process to the first hello-ok.
func (b *bench) starts(ctx context.Context) error {
	for _, c := range []struct {
		entries int
		most    float64 // ms
	}{{0, 40}, {10_000, 150}, {100_000, 1000}} {
		entries := min(c.entries, b.pick(c.entries, 1000))
		dir, err := b.folder("start")
		if err == nil {
			err = seed(dir, entries, 100)
		}
		if err != nil {
			return err
		}
		var took []float64
		for range b.pick(7, 1) + 1 {
			p, err := startGateway(b.o.Parley, dir, "")
			if err != nil {
				return err
			}
			d, err := p.ready(ctx)
			p.stop()
			if err != nil {
				return err
			}
			took = append(took, millis(d))
		}
		b.add(Row{Name: fmt.Sprintf("start, %d sessions", c.entries), Value: median(took[1:]), Unit: "ms", Target: c.most, Most: true})
	}
	return nil
}

// settle is how long a process is left alone before its memory is looked at.
const settle = 3 * time.Second

// memory measures what an idle gateway and idle connections hold.
func (b *bench) memory(ctx context.Context) error {
	for _, c := range []struct {
		entries int
		most    float64 // MB
	}{{0, 25}, {10_000, 60}} {
		p, err := b.gateway(ctx, b.o.Parley, min(c.entries, b.pick(c.entries, 500)), "")
		if err != nil {
			return err
		}
		mb, err := b.idle(ctx, p)
		if err != nil {
			p.stop()
			return err
		}
		b.add(Row{Name: fmt.Sprintf("idle, %d sessions", c.entries), Value: mb, Unit: "MB of private memory", Target: c.most, Most: true})
		if c.entries == 0 {
			err = b.perConnection(ctx, p, mb)
		}
		p.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// idle is the private memory of a process that was left alone, in MB.
func (b *bench) idle(ctx context.Context, p *process) (float64, error) {
	pause := settle
	if b.o.Short {
		pause /= 10
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	u, err := usageOf(p.pid)
	return float64(u.private) / (1 << 20), err
}

func (b *bench) perConnection(ctx context.Context, p *process, before float64) error {
	n := b.pick(1000, 50)
	cs, err := gather(ctx, p, n)
	if err != nil {
		return err
	}
	defer cs.leave()
	for _, c := range cs { // read what comes, as clients do
		go func() {
			for {
				if _, err := c.read(); err != nil {
					return
				}
			}
		}()
	}
	after, err := b.idle(ctx, p)
	b.add(Row{Name: "an idle connection", Clients: n, Value: (after - before) * 1024 / float64(n), Unit: "KB of private memory", Target: 40, Most: true})
	return err
}

// opens measures connections that are opened with the signature of a device, and
// closed again.
func (b *bench) opens(ctx context.Context) error {
	s, err := b.sides(ctx, 100, "", "")
	if err != nil {
		return err
	}
	defer s.stop()
	const clients = 16
	var devices [clients]ed25519.PrivateKey
	for i := range devices {
		if devices[i], err = newDevice(); err != nil {
			return err
		}
	}
	do := func(url string) op {
		return func(_ *conn, client, _ int) error {
			c, err := open(ctx, url, devices[client])
			if err == nil {
				c.close()
			}
			return err
		}
	}
	return b.against(ctx, s, contest{name: "connections opened with a device", clients: clients, do: do(s.parley.url), floor: do(s.floor.url), target: 0.5})
}
