package loadtest

import (
	"context"
	"fmt"
	"strings"
)

// read is a call that changes nothing; of n sessions it asks for one after the
// other.
type read struct {
	name   string
	text   func(n, entries int) string
	target float64
}

// seeded is how many sessions have transcripts. Each is asked for once before
// reads count: what the first time takes is no matter of how a server serves.
const seeded = 1000

// newest is the index of one of the newest thousand sessions: those have
// transcripts.
func newest(n, entries int) int { return max(entries-seeded, 0) + (n*7919)%min(entries, seeded) }

var readCalls = []read{
	{"health", func(int, int) string { return request("health", `{}`) }, 0.6},
	{"resolve", func(n, entries int) string {
		return request("sessions.resolve", fmt.Sprintf(`{"key":%q}`, key(newest(n, entries))))
	}, 0.6},
	{"get, 10 messages", func(n, entries int) string {
		return request("sessions.get", fmt.Sprintf(`{"key":%q,"limit":10}`, key(newest(n, entries))))
	}, 0.6},
	{"history, 10 messages", func(n, entries int) string {
		return request("chat.history", fmt.Sprintf(`{"sessionKey":%q,"limit":200}`, key(newest(n, entries))))
	}, 0.6},
	{"list, limit 50", func(int, int) string { return request("sessions.list", `{"limit":50}`) }, 0.6},
	{"list with titles and last messages", func(int, int) string {
		return request("sessions.list", `{"limit":50,"includeDerivedTitles":true,"includeLastMessage":true}`)
	}, 0.4},
	{"preview of 20", func(n, entries int) string {
		var keys []string
		for i := range 20 {
			keys = append(keys, fmt.Sprintf("%q", key(newest(n+i, entries))))
		}
		return request("sessions.preview", `{"keys":[`+strings.Join(keys, ",")+`]}`)
	}, 0.6},
}

// reads measures calls that change nothing, at 1 000 sessions, beside the floor.
func (b *bench) reads(ctx context.Context) error {
	const entries = 1000
	s, err := b.sides(ctx, entries, "", "")
	if err != nil {
		return err
	}
	defer s.stop()
	for _, call := range readCalls {
		size, err := sizeOf(ctx, s.parley, call.text(0, entries))
		if err != nil {
			return err
		}
		for _, clients := range b.clients() {
			err := b.against(ctx, s, contest{
				name: call.name, clients: clients, target: call.target, floor: answers(size, 0), warm: b.pick(seeded, 20),
				do: ask(func(client, n int) string { return call.text(client*31+n, entries) }),
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) clients() []int {
	if b.o.Short {
		return []int{1, 4}
	}
	return []int{1, 16, 64}
}

// growth measures the same calls, and a patch, at 100 000 sessions beside 1 000,
// by one client, and a search.
func (b *bench) growth(ctx context.Context) error {
	sizes := []int{1000, b.pick(100_000, 3000)}
	var ps []*process
	defer func() {
		for _, p := range ps {
			p.stop()
		}
	}()
	for _, n := range sizes {
		p, err := b.gateway(ctx, b.o.Parley, n, "")
		if err != nil {
			return err
		}
		ps = append(ps, p)
	}
	calls := append(readCalls[:len(readCalls):len(readCalls)], read{name: "patch", text: func(n, entries int) string { return patch(newest(n, entries), n) }})
	for _, call := range calls {
		all := make([]*side, len(ps))
		for i, p := range ps {
			cs, err := gather(ctx, p, 1)
			if err != nil {
				return err
			}
			defer cs.leave()
			all[i] = &side{p: p, cs: cs, count: []int{0}, do: ask(func(_, n int) string { return call.text(n, sizes[i]) })}
			if err := all[i].warm(b.pick(seeded, 20)); err != nil {
				return err
			}
		}
		for round := range b.o.Rounds + 1 {
			for _, one := range all {
				f, err := closed(one.p, one.cs, b.o.Duration, one.count, one.do)
				if err != nil {
					return err
				}
				if round > 0 { // the first one warms
					one.rounds = append(one.rounds, f)
				}
			}
		}
		large, small := medians(all[1].rounds), medians(all[0].rounds)
		b.add(Row{
			Name: call.name + " at 100 000 sessions", Clients: 1, Parley: &large, Unit: "times its cost at 1 000",
			Value: ratio(all[0].rounds, all[1].rounds), Target: 1.3, Most: true, Note: fmt.Sprintf("%.0f µs at 1 000", small.P50),
		})
	}
	return b.search(ctx, ps[1], sizes[1])
}

// search measures a search that finds one session.
func (b *bench) search(ctx context.Context, p *process, entries int) error {
	cs, err := gather(ctx, p, 1)
	if err != nil {
		return err
	}
	defer cs.leave()
	do := ask(func(_, n int) string {
		return request("sessions.list", fmt.Sprintf(`{"limit":50,"search":"SION %d"}`, entries-1-n%100))
	})
	var rounds []Figures
	count := []int{0}
	for round := range b.o.Rounds + 1 {
		f, err := closed(p, cs, b.o.Duration, count, do)
		if err != nil {
			return err
		}
		if round > 0 {
			rounds = append(rounds, f)
		}
	}
	f := medians(rounds)
	b.add(Row{Name: "list with search at 100 000 sessions", Clients: 1, Parley: &f, Value: f.P50 / 1000, Unit: "ms", Target: 25, Most: true})
	return nil
}
