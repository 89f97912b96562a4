package loadtest

import (
	"context"
	"fmt"
	"time"
)

// contest is one load, put on all sides by turns.
type contest struct {
	name    string
	clients int
	do      op      // to a gateway
	floor   op      // to the floor
	target  float64 // of the rate beside the floor's
	warm    int     // how often to do it before it counts
}

// side is one of the processes of a contest.
type side struct {
	p      *process
	do     op
	cs     crowd
	count  []int
	rounds []Figures
}

// against puts a load on all sides by turns and adds a row.
func (b *bench) against(ctx context.Context, s sides, c contest) error {
	var all []*side
	defer func() {
		for _, one := range all {
			one.cs.leave()
		}
	}()
	for _, p := range []*process{s.parley, s.other, s.floor} {
		if p == nil {
			continue
		}
		one := &side{p: p, do: c.do, count: make([]int, c.clients)}
		if p == s.floor {
			one.do = c.floor
		}
		var err error
		if one.cs, err = gather(ctx, p, c.clients); err != nil {
			return err
		}
		all = append(all, one)
		err = one.warm(c.warm)
		if err == nil {
			_, err = closed(p, one.cs, b.o.Duration/10, one.count, one.do)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for range b.o.Rounds {
		for _, one := range all {
			f, err := closed(one.p, one.cs, b.o.Duration, one.count, one.do)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			one.rounds = append(one.rounds, f)
		}
	}
	b.add(row(c, all))
	ours := all[0]
	return b.profile(ctx, c.name, c.clients, ours.p, func(d time.Duration) error {
		_, err := closed(ours.p, ours.cs, d, ours.count, ours.do)
		return err
	})
}

// warm does the thing n times, the first n times.
func (s *side) warm(n int) error {
	for i := range n {
		if err := s.do(s.cs[0], 0, i); err != nil {
			return err
		}
	}
	return nil
}

// row is the medians of a contest. Its ratio is the median of the rounds' ratios.
func row(c contest, all []*side) Row {
	r := Row{Name: c.name, Clients: c.clients, Unit: "of the floor", Target: c.target}
	parley, floor := all[0], all[len(all)-1]
	p, f := medians(parley.rounds), medians(floor.rounds)
	r.Parley, r.Floor = &p, &f
	if len(all) == 3 {
		o := medians(all[1].rounds)
		r.Other = &o
	}
	r.Value = ratio(parley.rounds, floor.rounds)
	return r
}

// ratio is how two sides' rates stand to each other, round by round.
func ratio(a, b []Figures) float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		if b[i].Rate > 0 {
			all = append(all, a[i].Rate/b[i].Rate)
		}
	}
	return median(all)
}

// answers is the floor's part of a read: as many bytes, from a request as long.
func answers(bytes, syncs int) op {
	text := request("floor", sized(bytes, syncs))
	return ask(func(int, int) string { return text })
}

func sized(bytes, syncs int) string { return fmt.Sprintf(`{"bytes":%d,"syncs":%d}`, bytes, syncs) }

// sizeOf is how long the answer to a request is.
func sizeOf(ctx context.Context, p *process, text string) (int, error) {
	c, err := open(ctx, p.url, nil)
	if err != nil {
		return 0, err
	}
	defer c.close()
	answer, err := c.ask(text)
	return len(answer), err
}
