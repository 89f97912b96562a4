package loadtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// An op is what a client does again and again: the n-th time, on its connection.
type op func(c *conn, client, n int) error

// ask is an op that makes one request.
func ask(request func(client, n int) string) op {
	return func(c *conn, client, n int) error {
		_, err := c.ask(request(client, n))
		return err
	}
}

// crowd is some clients of one process, connected.
type crowd []*conn

// atOnce is how many clients shake hands at the same time: a gateway lets few
// strangers wait.
const atOnce = 16

// gather connects n clients.
func gather(ctx context.Context, p *process, n int) (crowd, error) {
	conns := make(crowd, n)
	var g group
	for first := range min(n, atOnce) {
		g.do(func() (err error) {
			for i := first; i < n && err == nil; i += atOnce {
				conns[i], err = open(ctx, p.url, nil)
			}
			return err
		})
	}
	if err := g.wait(); err != nil {
		conns.leave()
		return nil, fmt.Errorf("connect %d clients to %s: %w", n, p.name, err)
	}
	return conns, nil
}

func (cs crowd) leave() {
	for _, c := range cs {
		if c != nil {
			c.close()
		}
	}
}

// closed is a closed loop: each client does the next thing when the last one is
// done, for a time. count is how often each has done it before.
func closed(p *process, cs crowd, d time.Duration, count []int, do op) (Figures, error) {
	before, err := usageOf(p.pid)
	if err != nil {
		return Figures{}, err
	}
	took := make([][]time.Duration, len(cs))
	began := time.Now()
	var g group
	for i, c := range cs {
		g.do(func() error {
			for time.Since(began) < d {
				at := time.Now()
				if err := do(c, i, count[i]); err != nil {
					return fmt.Errorf("%s, client %d: %w", p.name, i, err)
				}
				took[i] = append(took[i], time.Since(at))
				count[i]++
			}
			return nil
		})
	}
	if err := g.wait(); err != nil {
		return Figures{}, err
	}
	all := time.Since(began)
	after, err := usageOf(p.pid)
	return figures(slices.Concat(took...), all, before, after), err
}

// group waits for goroutines and keeps the first error.
type group struct {
	wg  sync.WaitGroup
	mu  sync.Mutex // guards err
	err error
}

func (g *group) do(f func() error) {
	g.wg.Go(func() {
		if err := f(); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.err == nil {
				g.err = err
			}
		}
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	return g.err
}
