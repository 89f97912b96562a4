package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/parleyd/parley/internal/config"
)

func TestTailnetBecomesWhatItIs(t *testing.T) {
	for _, tt := range []struct {
		bind, host, want string
		warns            bool
	}{
		{"tailnet", "100.64.1.2", "100.64.1.2", false},
		{"tailnet", "", "127.0.0.1", true},
		{"lan", "", "0.0.0.0", false},
	} {
		var out bytes.Buffer
		g := config.Gateway{Bind: tt.bind}
		settleTailnet(&g, tt.host, slog.New(slog.NewTextHandler(&out, nil)))
		if host, _ := hosts(g); host != tt.want || (out.Len() > 0) != tt.warns {
			t.Errorf("%s, %q: listens on %s, want %s; told %q", tt.bind, tt.host, host, tt.want, out.String())
		}
	}
}
