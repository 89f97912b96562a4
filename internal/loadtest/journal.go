package loadtest

import (
	"context"
	"fmt"
	"time"
)

// block is what a disk writes at least.
const block = 4096

// disk measures what a durable patch makes the disk write, by what the system
// counts, and how many syncs it needs, by what the gateway counts; checkpoints
// are left out and stand in the note.
func (b *bench) disk(ctx context.Context) error {
	p, err := b.gateway(ctx, b.o.Parley, 1000, "")
	if err != nil {
		return err
	}
	defer p.stop()
	for _, c := range []struct {
		writers int
		syncs   float64
	}{{1, 1.1}, {16, 0.2}} {
		if err := b.diskOf(ctx, p, c.writers, c.syncs); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) diskOf(ctx context.Context, p *process, writers int, most float64) error {
	cs, err := gather(ctx, p, writers)
	if err != nil {
		return err
	}
	defer cs.leave()
	before, wrote, err := atRest(ctx, p)
	if err != nil {
		return err
	}
	f, err := closed(p, cs, 2*b.o.Duration, make([]int, writers), ask(func(client, n int) string { return patch((client*17+n)%1000, n) }))
	if err != nil {
		return err
	}
	after, written, err := atRest(ctx, p)
	if err != nil {
		return err
	}
	grown := func(name string) float64 { return after[name] - before[name] }
	changes := grown("parley_store_changes_total")
	checkpoints := grown("parley_store_checkpoint_bytes_total") / changes
	b.add(Row{
		Name: "syncs of a patch", Clients: writers, Parley: &f, Unit: "syncs", Target: most, Most: true,
		Value: grown(`parley_store_commits_total{result="ok"}`) / changes,
	})
	b.add(Row{
		Name: "disk blocks of a patch, without checkpoints", Clients: writers, Unit: "blocks of 4 KiB", Target: 2, Most: true,
		Value: (float64(written.written-wrote.written)/changes - checkpoints) / block,
		Note:  fmt.Sprintf("checkpoints: %.0f bytes a patch", checkpoints),
	})
	return nil
}

// atRest is what a gateway counts and has used once no checkpoint is under way:
// its bytes are counted when it ends, the system's when they are written.
func atRest(ctx context.Context, p *process) (map[string]float64, usage, error) {
	const name = `parley_store_checkpoints_total{result="ok"}`
	last := -1.0
	for {
		counts, err := scrape(ctx, p)
		if err != nil {
			return nil, usage{}, err
		}
		if counts[name] == last {
			u, err := usageOf(p.pid)
			return counts, u, err
		}
		last = counts[name]
		time.Sleep(500 * time.Millisecond)
	}
}
