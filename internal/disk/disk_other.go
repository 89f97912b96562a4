//go:build !linux

package disk

import (
	"errors"
	"fmt"
)

func (r *Root) exchange(a, b string) error {
	return fmt.Errorf("exchange %s and %s: %w", a, b, errors.ErrUnsupported)
}

func (f *File) datasync() error { return f.File.Sync() }
