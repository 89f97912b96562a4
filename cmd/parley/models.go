package main

import (
	"context"
	"strings"

	"github.com/parleyd/parley/client"
)

// modelsCommands are `parley models …`.
type modelsCommands struct {
	List  modelsListCommand  `cmd:"" default:"withargs" help:"List the models that sessions may choose (the default)."`
	Check modelsCheckCommand `cmd:"" help:"Ask each configured model for a word, and say which answer."`
}

// modelsListCommand is `parley models list`.
type modelsListCommand struct{ work }

// Run prints a table.
func (c *modelsListCommand) Run(s streams) error {
	return c.do(s, func(ctx context.Context, conn *client.Conn) error {
		list, raw, err := fetch(ctx, conn, client.ModelsList, client.None{})
		if err != nil {
			return err
		}
		if c.JSON {
			return printPayload(s.out, raw, true)
		}
		sessions, err := client.SessionsList.Call(ctx, conn, client.SessionsListParams{Limit: 1})
		if err != nil {
			return err
		}
		byDefault := model(sessions.Defaults.ModelProvider, sessions.Defaults.Model)
		t := table{columns: []column{{title: "MODEL"}, {title: "NAME", give: fromEnd}, {title: "CONTEXT", right: true}, {title: "INPUT"}, {title: "REASONS"}, {title: ""}}}
		for _, m := range list.Models {
			name, reasons, mark := model(m.Provider, m.ID), "", ""
			if m.Reasoning {
				reasons = "yes"
			}
			if name == byDefault {
				mark = "default"
			}
			t.add(name, m.Name, window(m.ContextWindow), strings.Join(m.Input, " "), reasons, cell{mark, green})
		}
		return t.print(s.out, lookOf(s.out))
	})
}

func window(tokens int64) string {
	if tokens == 0 {
		return ""
	}
	return short(tokens)
}
