package loadtest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// startFloor serves the floor in this process.
func startFloor(t *testing.T, model string) (p *process, dir string) {
	t.Helper()
	dir = t.TempDir()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := ServeFloor(ctx, port, dir, model); err != nil {
			t.Errorf("serve the floor: %v", err)
		}
	})
	t.Cleanup(serving.Wait)
	t.Cleanup(cancel)
	p = at("floor", port)
	if _, err := p.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, dir
}

func connected(t *testing.T, p *process) *conn {
	t.Helper()
	c, err := open(t.Context(), p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func asked(t *testing.T, c *conn, request string) []byte {
	t.Helper()
	answer, err := c.ask(request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestFloorAnswersAsManyBytes(t *testing.T) {
	p, _ := startFloor(t, "")
	c := connected(t, p)
	for _, size := range []int{60, 700, 700, 40_000} {
		if got := len(asked(t, c, request("floor", sized(size, 0)))); got != size {
			t.Errorf("asked for %d bytes, got %d", size, got)
		}
	}
}

func TestFloorAppendsBeforeItAnswers(t *testing.T) {
	p, dir := startFloor(t, "")
	var g group
	for range 8 {
		c := connected(t, p)
		g.do(func() error {
			_, err := c.ask(request("floor", sized(100, 3)))
			return err
		})
	}
	if err := g.wait(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "floor*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(8 * 3 * 1024); info.Size() != want {
		t.Errorf("the file has %d bytes, want %d", info.Size(), want)
	}
}

func TestFloorPublishesToEverySubscriber(t *testing.T) {
	p, _ := startFloor(t, "")
	a, err := listen(t.Context(), p, 3, subscribeFloor, "floor", func(_ int, frame []byte) {
		if len(frame) != 500 {
			t.Errorf("an event of %d bytes", len(frame))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.leave()
	c := connected(t, p)
	for range 10 {
		asked(t, c, request("floor.publish", `{"bytes":500,"syncs":0}`))
	}
	a.quiet()
	if got := a.heard.Load(); got != 30 {
		t.Errorf("%d events were heard, want 30", got)
	}
}

func TestFloorChecksTheDevice(t *testing.T) {
	p, _ := startFloor(t, "")
	device, err := newDevice()
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(t.Context(), p.url, device)
	if err != nil {
		t.Fatal(err)
	}
	c.close()
	good := connect([]byte(`{"payload":{"nonce":"n"}}`), device)
	if err := verify([]byte(good), "n"); err != nil {
		t.Errorf("a good signature: %v", err)
	}
	if err := verify([]byte(good), "m"); err == nil {
		t.Error("a signature over another nonce was taken")
	}
	if err := verify([]byte(strings.Replace(good, `"signedAt":1`, `"signedAt":2`, 1)), "n"); err == nil {
		t.Error("a signature over another time was taken")
	}
}

func TestFloorRuns(t *testing.T) {
	m, err := newModel()
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	p, dir := startFloor(t, m.url())
	c := connected(t, p)
	answer := asked(t, c, `{"type":"req","id":"7","method":"floor.run","params":{"run":7,"pieces":3}}`)
	if !bytes.Contains(answer, []byte(`"status":"started"`)) {
		t.Errorf("answered %s", answer)
	}
	event, err := c.read()
	if err != nil || !bytes.Contains(event, []byte(`"runId":"7","state":"final"`)) {
		t.Errorf("then came %s, %v", event, err)
	}
	if m.endOf("7").IsZero() {
		t.Error("the model was not asked")
	}
	files, _ := filepath.Glob(filepath.Join(dir, "floor*"))
	if info, err := os.Stat(files[0]); err != nil || info.Size() != 4*1024 {
		t.Errorf("a run appends four times 1 KiB: %v, %v", info, err)
	}
}
