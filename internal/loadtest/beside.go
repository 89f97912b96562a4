package loadtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

// beside measures how long health takes while another client does something heavy
// as fast as it can, at 10 000 sessions.
func (b *bench) beside(ctx context.Context) error {
	entries := b.pick(10_000, 500)
	p, err := b.gateway(ctx, b.o.Parley, entries, "")
	if err != nil {
		return err
	}
	defer p.stop()
	for _, heavy := range []struct {
		name string
		text func(n int) string
	}{
		{"lists", func(int) string {
			return request("sessions.list", `{"limit":200,"includeDerivedTitles":true,"includeLastMessage":true}`)
		}},
		{"previews", func(n int) string { return readCalls[6].text(n, entries) }},
		{"compacts", func(n int) string {
			return request("sessions.compact", fmt.Sprintf(`{"key":%q,"maxLines":5}`, key(newest(n, entries))))
		}},
	} {
		took, err := b.healthBeside(ctx, p, heavy.text)
		if err != nil {
			return err
		}
		b.add(Row{
			Name: "p99 of health while another client " + heavy.name, Clients: 2, Value: millis(quantile(took, 0.99)), Unit: "ms", Target: 5, Most: true,
			Note: fmt.Sprintf("p50 %s ms", short(millis(quantile(took, 0.5)))),
		})
	}
	return nil
}

// healthBeside is how long each health took, sorted, while another client makes
// heavy calls one after the other.
func (b *bench) healthBeside(ctx context.Context, p *process, heavy func(n int) string) (took []time.Duration, err error) {
	cs, err := gather(ctx, p, 2)
	if err != nil {
		return nil, err
	}
	defer cs.leave()
	var over atomic.Bool
	var g group
	g.do(func() error {
		for n := 0; !over.Load(); n++ {
			if _, err := cs[1].ask(heavy(n)); err != nil {
				return err
			}
		}
		return nil
	})
	for began := time.Now(); err == nil && time.Since(began) < 2*b.o.Duration; time.Sleep(time.Millisecond) {
		at := time.Now()
		_, err = cs[0].ask(request("health", `{}`))
		took = append(took, time.Since(at))
	}
	over.Store(true)
	slices.Sort(took)
	return took, errors.Join(err, g.wait())
}

// large measures reads of a transcript of 100 MB, warm, and the memory that they
// leave behind.
func (b *bench) large(ctx context.Context) error {
	dir, err := b.folder("large")
	if err == nil {
		err = seed(dir, 10, 10)
	}
	if err != nil {
		return err
	}
	messages := b.pick(85_000, 2000)
	if err := transcripts(dir, 9, 10, messages, 1000); err != nil {
		return err
	}
	p, err := b.serve(ctx, b.o.Parley, dir, "")
	if err != nil {
		return err
	}
	defer p.stop()
	before, err := b.idle(ctx, p)
	if err != nil {
		return err
	}
	cs, err := gather(ctx, p, 1)
	if err != nil {
		return err
	}
	defer cs.leave()
	info, err := os.Stat(filepath.Join(dir, "agents", "main", "sessions", id(9)+".jsonl"))
	if err != nil {
		return err
	}
	for _, call := range []struct{ name, text string }{
		{"get, limit 200", request("sessions.get", fmt.Sprintf(`{"key":%q,"limit":200}`, key(9)))},
		{"history, limit 200", request("chat.history", fmt.Sprintf(`{"sessionKey":%q,"limit":200}`, key(9)))},
		{"preview", request("sessions.preview", fmt.Sprintf(`{"keys":[%q]}`, key(9)))},
	} {
		do := ask(func(int, int) string { return call.text })
		count := []int{0}
		if _, err := closed(p, cs, b.o.Duration/10, count, do); err != nil {
			return err
		}
		f, err := closed(p, cs, b.o.Duration, count, do)
		if err != nil {
			return err
		}
		b.add(Row{Name: fmt.Sprintf("%s of a transcript of %d MB", call.name, info.Size()>>20), Clients: 1, Parley: &f, Value: f.P50 / 1000, Unit: "ms", Target: 2, Most: true})
	}
	after, err := b.idle(ctx, p)
	b.add(Row{Name: "memory after reading it", Value: after - before, Unit: "MB of private memory more", Target: 20, Most: true})
	return err
}
