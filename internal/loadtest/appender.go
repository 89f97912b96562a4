package loadtest

import (
	"bytes"
	"errors"
	"os"
	"sync"
)

// appender appends 1 KiB to a file; those who wait together share a write and a
// sync, which is the least that durable changes can cost.
type appender struct {
	file *os.File
	work chan chan error
	stop chan struct{}
	loop sync.WaitGroup
}

func newAppender(dir string) (*appender, error) {
	file, err := os.CreateTemp(dir, "floor")
	if err != nil {
		return nil, err
	}
	a := &appender{file: file, work: make(chan chan error, 4096), stop: make(chan struct{})}
	a.loop.Go(a.run)
	return a, nil
}

// append returns when the block is durable.
func (a *appender) append() error {
	done := make(chan error, 1)
	select {
	case a.work <- done:
	case <-a.stop:
		return os.ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-a.stop:
		return os.ErrClosed
	}
}

func (a *appender) run() {
	block := bytes.Repeat([]byte{'x'}, 1024)
	for {
		select {
		case first := <-a.work:
			waiting := a.waiting(first)
			_, err := a.file.Write(bytes.Repeat(block, len(waiting)))
			err = errors.Join(err, syncData(a.file))
			for _, w := range waiting {
				w <- err
			}
		case <-a.stop:
			return
		}
	}
}

// waiting is first and all that wait behind it.
func (a *appender) waiting(first chan error) []chan error {
	all := []chan error{first}
	for {
		select {
		case w := <-a.work:
			all = append(all, w)
		default:
			return all
		}
	}
}

func (a *appender) close() error {
	close(a.stop)
	a.loop.Wait()
	return a.file.Close()
}
