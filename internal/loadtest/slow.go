package loadtest

import (
	"context"
	"fmt"
	"time"
)

// slow sends a million events past one subscriber that reads nothing and nine
// that do: memory must stay bounded, and the nine must lose nothing.
func (b *bench) slow(ctx context.Context) error {
	p, err := b.gateway(ctx, b.o.Parley, 1000, "")
	if err != nil {
		return err
	}
	defer p.stop()
	a, err := listen(ctx, p, 9, subscribeSessions, "sessions.changed", nil)
	if err != nil {
		return err
	}
	defer a.leave()
	lazy, err := open(ctx, p.url, nil)
	if err != nil {
		return err
	}
	defer lazy.close()
	if _, err := lazy.ask(subscribeSessions); err != nil {
		return err
	}
	const writers = 8
	cs, err := gather(ctx, p, writers)
	if err != nil {
		return err
	}
	defer cs.leave()
	before, err := usageOf(p.pid)
	if err != nil {
		return err
	}
	patches := b.pick(1_000_000/10, 1000) / writers * writers
	most := before.rss
	var g group
	for i, c := range cs {
		g.do(func() error {
			for n := range patches / writers {
				if _, err := c.ask(patch((i*125+n%125)%1000, n)); err != nil {
					return err
				}
				if i == 0 && n%100 == 0 {
					if u, err := usageOf(p.pid); err == nil {
						most = max(most, u.rss)
					}
				}
			}
			return nil
		})
	}
	began := time.Now()
	if err := g.wait(); err != nil {
		return err
	}
	a.quiet()
	missing := float64(patches*9) - float64(a.heard.Load())
	b.add(Row{Name: "events that nine fast subscribers missed beside a slow one", Clients: 10, Value: missing, Unit: "events", Target: 0.5, Most: true,
		Note: fmt.Sprintf("%d events in %v", patches*10, time.Since(began).Round(time.Millisecond))})
	b.add(Row{Name: "memory that this took at most", Clients: 10, Value: float64(most-before.rss) / (1 << 20), Unit: "MB of resident memory more"})
	return nil
}
