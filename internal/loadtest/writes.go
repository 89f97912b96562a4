package loadtest

import (
	"context"
	"fmt"
)

func patch(i, n int) string {
	level := []string{"low", "medium", "high"}[n%3]
	return request("sessions.patch", fmt.Sprintf(`{"key":%q,"thinkingLevel":%q}`, key(i), level))
}

// writes measures durable changes at 1 000 sessions beside the floor, which
// appends 1 KiB and syncs before it answers.
func (b *bench) writes(ctx context.Context) error {
	const entries = 1000
	s, err := b.sides(ctx, entries, "", "")
	if err != nil {
		return err
	}
	defer s.stop()
	made := func(client, n int) string { return fmt.Sprintf(`"load-%d-%d"`, client, n) }
	calls := []struct {
		name   string
		do     op
		floor  op
		target float64
	}{
		{"patch", ask(func(client, n int) string { return patch((client*17+n)%entries, n) }), answers(900, 1), 0.5},
		{"create", ask(func(client, n int) string { return request("sessions.create", `{"key":`+made(client, n)+`}`) }), answers(400, 1), 0.3},
		{"reset", ask(func(client, n int) string {
			return request("sessions.reset", fmt.Sprintf(`{"key":%q}`, key((client*17+n)%entries)))
		}), answers(900, 1), 0.3},
		{"create and delete", func(c *conn, client, n int) error {
			name := fmt.Sprintf(`"gone-%d-%d"`, client, n)
			if _, err := c.ask(request("sessions.create", `{"key":`+name+`}`)); err != nil {
				return err
			}
			_, err := c.ask(request("sessions.delete", `{"key":`+name+`}`))
			return err
		}, func(c *conn, client, n int) error {
			for range 2 {
				if err := answers(300, 1)(c, client, n); err != nil {
					return err
				}
			}
			return nil
		}, 0.375}, // what create at 0.3 and delete at 0.5 make together
	}
	for _, call := range calls {
		for _, clients := range b.clients() {
			c := contest{name: call.name, clients: clients, do: call.do, floor: call.floor, target: call.target}
			if call.name == "create" { // keys of one measurement must not come again
				c.do = ask(func(client, n int) string {
					return request("sessions.create", fmt.Sprintf(`{"key":"load-%d-%d-%d"}`, clients, client, n))
				})
			}
			if err := b.against(ctx, s, c); err != nil {
				return err
			}
		}
	}
	return nil
}
