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

// profile puts the load on once more, for three seconds that count for nothing,
// and keeps a CPU profile of the gateway meanwhile.
func (b *bench) profile(ctx context.Context, name string, one *side) error {
	const seconds = 3
	if b.o.Profiles == "" {
		return nil
	}
	taken := make(chan error, 1)
	go func() {
		file := fmt.Sprintf("%s-%d.pprof", strings.NewReplacer(" ", "-", ",", "").Replace(name), len(one.cs))
		taken <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", one.p.admin, seconds), filepath.Join(b.o.Profiles, file))
	}()
	_, err := closed(one.p, one.cs, (seconds+1)*time.Second, one.count, one.do)
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
