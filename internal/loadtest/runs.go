package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// pieces is how many a model's answer has where only the number of runs matters.
const pieces = 20

// runs measures runs a second of sessions that are always busy, all told of over
// one connection, beside the floor's.
func (b *bench) runs(ctx context.Context) error {
	m, err := newModel()
	if err != nil {
		return err
	}
	defer m.close()
	s, err := b.sides(ctx, 0, m.config(""), m.url())
	if err != nil {
		return err
	}
	defer s.stop()
	sizes := []int{1, 50, 200}
	if b.o.Short {
		sizes = []int{1, 8}
	}
	for _, at := range sizes {
		var ours, theirs []Figures
		var started []float64
		message := func(round int) func(session, n int) string {
			return func(session, n int) string {
				return fmt.Sprintf(`{"type":"req","id":"%d","method":"chat.send","params":{"sessionKey":"r%d-%d","message":"pieces %d 0 x","idempotencyKey":"%d-%d-%d-%d"}}`,
					session, at, session, pieces, at, round, session, n)
			}
		}
		for round := range b.o.Rounds + 1 {
			p, first, err := b.busy(ctx, s.parley, b.o.Duration, at, message(round))
			if err != nil {
				return err
			}
			f, _, err := b.busy(ctx, s.floor, b.o.Duration, at, func(session, n int) string {
				return fmt.Sprintf(`{"type":"req","id":"%d","method":"floor.run","params":{"run":%d,"pieces":%d}}`, session, session, pieces)
			})
			if err != nil {
				return err
			}
			if round > 0 {
				ours, theirs, started = append(ours, p), append(theirs, f), append(started, first)
			}
		}
		p, f := medians(ours), medians(theirs)
		b.add(Row{Name: "runs of busy sessions", Clients: at, Parley: &p, Floor: &f, Value: ratio(ours, theirs), Unit: "of the floor's runs", Target: 0.5})
		r := Row{Name: "p99 of started", Clients: at, Value: median(started), Unit: "ms", Most: true}
		if at == 200 {
			r.Target = 60
		}
		b.add(r)
		err := b.profile(ctx, "runs", at, s.parley, func(d time.Duration) error {
			_, _, err := b.busy(ctx, s.parley, d, at, message(b.o.Rounds+1))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// busy keeps so many sessions busy for a time over one connection. It returns the
// figures of whole runs, and the 99th percentile of the answers that they started
// with, in ms.
func (b *bench) busy(ctx context.Context, p *process, d time.Duration, sessions int, send func(session, n int) string) (Figures, float64, error) {
	c, err := open(ctx, p.url, nil)
	if err != nil {
		return Figures{}, 0, err
	}
	defer c.close()
	before, err := usageOf(p.pid)
	if err != nil {
		return Figures{}, 0, err
	}
	began := time.Now()
	sent, count := make([]time.Time, sessions), make([]int, sessions)
	var whole, first []time.Duration
	going := sessions
	for i := range sessions {
		sent[i] = time.Now()
		if err := c.send(send(i, 0)); err != nil {
			return Figures{}, 0, err
		}
	}
	for going > 0 {
		frame, err := c.read()
		if err != nil {
			return Figures{}, 0, err
		}
		switch {
		case bytes.HasPrefix(frame, response):
			if bytes.Contains(frame, refused) {
				return Figures{}, 0, fmt.Errorf("%s answered %s", p.name, frame)
			}
			if i, ok := numberText(frame, `"id":"`); ok && i < sessions {
				first = append(first, time.Since(sent[i]))
			}
		case bytes.Contains(frame, []byte(`"state":"error"`)):
			return Figures{}, 0, fmt.Errorf("a run failed: %s", frame)
		case bytes.Contains(frame, []byte(`"state":"final"`)):
			i, ok := sessionOf(frame)
			if !ok || i >= sessions {
				continue
			}
			whole = append(whole, time.Since(sent[i]))
			count[i]++
			if time.Since(began) > d {
				going--
				continue
			}
			sent[i] = time.Now()
			if err := c.send(send(i, count[i])); err != nil {
				return Figures{}, 0, err
			}
		}
	}
	all := time.Since(began)
	after, err := usageOf(p.pid)
	slices.Sort(first)
	return figures(whole, all, before, after), millis(quantile(first, 0.99)), err
}

// sessionOf is the session in the id of a run: the third of four numbers, or the
// only one.
func sessionOf(frame []byte) (int, bool) {
	_, rest, ok := bytes.Cut(frame, []byte(`"runId":"`))
	id, _, _ := bytes.Cut(rest, []byte(`"`))
	parts := bytes.Split(id, []byte("-"))
	part := parts[0]
	if len(parts) == 4 {
		part = parts[2]
	}
	n, err := strconv.Atoi(string(part))
	return n, ok && err == nil
}

func numberText(frame []byte, before string) (int, bool) {
	_, rest, ok := bytes.Cut(frame, []byte(before))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	n, err := strconv.Atoi(string(text))
	return n, ok && err == nil
}
