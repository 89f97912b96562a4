// Package browser drives pages in a real browser, Chromium, as a person does:
// it clicks on what can be seen, types, waits until something is shown, and
// fails a test for what went wrong in the page's scripts. It is for tests only.
//
// PARLEY_BROWSER names the browser's program where it is none of the usual
// ones; PARLEY_SCREENSHOTS names a directory that gets pictures.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// ErrNone says that no browser is installed.
var ErrNone = errors.New("no browser: install chromium, or name one in PARLEY_BROWSER")

// A Browser is a running browser that any number of tests may use at the same
// time; each gets profiles of its own from Visit.
type Browser struct {
	ctx    context.Context
	cancel func()
	stop   func()
}

// Start starts the browser, with its files in profile. It fails with ErrNone
// where there is none.
func Start(profile string) (*Browser, error) {
	path := programPath()
	if path == "" {
		return nil, ErrNone
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("hide-scrollbars", false),
		// Timers and frames of pages that are not in front go on, for tests run side by side.
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		// Whatever a page names, only this machine is asked.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with it
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &Browser{ctx: ctx, cancel: cancel, stop: stop}
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		stop()
		return nil, fmt.Errorf("start the browser %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser and waits for it.
func (b *Browser) Close() error {
	err := chromedp.Cancel(b.ctx)
	b.cancel()
	b.stop()
	return err
}

// programPath is the browser's program, "" when there is none.
func programPath() string {
	for _, name := range []string{os.Getenv("PARLEY_BROWSER"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
