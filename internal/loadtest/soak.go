package loadtest

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Soak puts mixed traffic on a gateway with many sessions for a time and tells
// what it holds: memory, goroutines, open files. Each session has a transcript of
// some 50 KB: of 100 000 that is 5 GB. Some clients come and go.
func Soak(ctx context.Context, o Options, d time.Duration, entries int, out io.Writer) error {
	b := &bench{o: o}
	m, err := newModel()
	if err != nil {
		return err
	}
	defer m.close()
	p, err := b.full(ctx, entries, m.config(""))
	if err != nil {
		return err
	}
	defer p.stop()
	a, err := listen(ctx, p, 8, subscribeSessions, "sessions.changed", nil)
	if err != nil {
		return err
	}
	defer a.leave()
	const clients = 8
	cs, err := gather(ctx, p, clients)
	if err != nil {
		return err
	}
	defer cs.leave()
	var calls atomic.Int64
	traffic := make(chan error, 1)
	go func() {
		_, err := closed(p, cs, d, make([]int, clients), func(c *conn, client, n int) error {
			calls.Add(1)
			return mixed(ctx, p, c, client, n, entries)
		})
		traffic <- err
	}()
	printed := &printer{w: out}
	printed.line("| after | calls | resident MB | private MB | goroutines | files |")
	printed.line("|---|---|---|---|---|---|")
	every := time.NewTicker(max(d/20, time.Second))
	defer every.Stop()
	began := time.Now()
	for {
		var over bool
		select {
		case err = <-traffic:
			over = true
		case <-every.C:
		}
		u, err2 := usageOf(p.pid)
		figures, err3 := scrape(ctx, p)
		if err2 != nil || err3 != nil {
			return fmt.Errorf("the gateway does not answer: %w, %w", err2, err3)
		}
		printed.line("| %s | %d | %d | %d | %.0f | %d |", time.Since(began).Round(time.Second), calls.Load(), u.rss>>20, u.private>>20, figures["go_goroutines"], u.files)
		if over {
			if err == nil {
				err = printed.err
			}
			return err
		}
	}
}

// full starts a gateway on sessions that all have been spoken in for long.
func (b *bench) full(ctx context.Context, entries int, config string) (*process, error) {
	dir, err := b.folder("soak")
	if err == nil {
		err = seed(dir, entries, 0)
	}
	if err == nil {
		err = transcripts(dir, 0, entries, b.pick(32, 2), 1300)
	}
	if err != nil {
		return nil, fmt.Errorf("seed %d sessions: %w", entries, err)
	}
	return b.serve(ctx, b.o.Parley, dir, config)
}

// mixed is one of the things that clients do.
func mixed(ctx context.Context, p *process, c *conn, client, n, entries int) error {
	var text string
	switch n % 12 {
	case 0, 1, 2:
		text = readCalls[n%len(readCalls)].text(client*31+n, entries)
	case 3:
		text = request("sessions.get", fmt.Sprintf(`{"key":%q,"limit":20}`, key((n*7919+client*104_729)%entries)))
	case 4, 5:
		text = patch(newest(client*17+n, entries), n)
	case 6:
		text = request("sessions.create", fmt.Sprintf(`{"key":"soak-%d-%d"}`, client, n))
	case 7:
		text = request("chat.send", fmt.Sprintf(`{"sessionKey":"talk-%d","message":"pieces 20 0 x","idempotencyKey":"soak-%d-%d"}`, client, client, n))
	case 8:
		text = request("agent.wait", fmt.Sprintf(`{"runId":"soak-%d-%d","timeoutMs":30000}`, client, n-1))
	case 9:
		text = request("sessions.delete", fmt.Sprintf(`{"key":"soak-%d-%d"}`, client, n-3))
	case 10:
		text = request("sessions.reset", fmt.Sprintf(`{"key":"talk-%d"}`, client))
	default:
		other, err := open(ctx, p.url, nil)
		if err == nil {
			other.close()
		}
		return err
	}
	_, err := c.ask(text)
	return err
}
