package auth

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
)

// deviceLife lets in a device, takes a second one's request and removes the
// first; it says how many of these steps were acknowledged.
func deviceLife(t *testing.T, files *disk.FS, dir string, told func(step int)) error {
	d, err := OpenDevices(dir, files, quiet())
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { _, err := d.Admit(visitor("one")); return err },
		func() error { _, err := d.Admit(remote(visitor("two"))); return err },
		func() error { _, err := d.Remove("one"); return err },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return err
		}
		told(i + 1)
	}
	return d.Close()
}

// judgeDevices says what of the first steps is not there.
func judgeDevices(dir string, steps int) error {
	d, err := OpenDevices(dir, nil, quiet())
	if err != nil {
		return err
	}
	pending, paired, err := d.List()
	if err != nil {
		return errors.Join(err, d.Close())
	}
	switch {
	case steps == 1 && len(paired) != 1:
		err = fmt.Errorf("%d devices are paired, want 1", len(paired))
	case steps >= 2 && len(pending) != 1:
		err = fmt.Errorf("%d requests wait, want 1", len(pending))
	case steps == 3 && len(paired) != 0:
		err = fmt.Errorf("%d devices are paired, want none", len(paired))
	}
	return errors.Join(err, d.Close())
}

// What was told of devices survives a power cut, from the first file on.
func TestPowerCuts(t *testing.T) {
	rec := disktest.Record(t, t.TempDir())
	if err := deviceLife(t, rec.FS(), rec.Dir(), func(step int) { rec.Mark(step) }); err != nil {
		t.Fatal(err)
	}
	n := disktest.PowerCuts(t, rec, disktest.Options{AnyOrder: true, Ignore: []string{"*.flock"}}, func(dir string, marks []any) error {
		return judgeDevices(dir, len(marks))
	})
	t.Logf("%d states", n)
}

// Whatever operation of the disk fails, a step is told as failed or is there.
func TestFaults(t *testing.T) {
	var steps int
	disktest.EachFault(t, func(t *testing.T, files *disk.FS, dir string) error {
		steps = 0
		return deviceLife(t, files, dir, func(step int) { steps = step })
	}, func(t *testing.T, dir string, workErr error) {
		if workErr != nil && !strings.Contains(workErr.Error(), dir) {
			t.Errorf("the error does not name the file: %v", workErr)
		}
		if err := judgeDevices(dir, steps); err != nil {
			t.Errorf("after %d steps: %v", steps, err)
		}
	})
}
