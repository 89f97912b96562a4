package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profile puts a load on the gateway once more, for some seconds that count for
// nothing, and keeps a CPU profile of it meanwhile.
func (b *bench) profile(ctx context.Context, name string, clients int, p *process, load func(time.Duration) error) error {
	const seconds = 3
	if b.o.Profiles == "" {
		return nil
	}
	taken := make(chan error, 1)
	go func() {
		file := fmt.Sprintf("%s-%d.pprof", strings.NewReplacer(" ", "-", ",", "").Replace(name), clients)
		taken <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", p.admin, seconds), filepath.Join(b.o.Profiles, file))
	}()
	err := load((seconds + 1) * time.Second)
	return errors.Join(err, <-taken)
}

// fetch writes what is at an address to a file.
func fetch(ctx context.Context, address, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, res.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
