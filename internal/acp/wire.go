package acp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/parleyd/parley/internal/jstext"
)

// What a process may write.
const (
	maxLine     = 8 << 20 // bytes of one message
	maxGarbage  = 1000    // lines in a row that are no messages
	maxRequests = 64      // of its requests that wait for an answer
)

// wire is JSON-RPC 2.0 in lines over the pipes of a process. The messages and
// their names are the library's; its connection is not used, because it
// buffers what comes without regard to who takes it and ends when the buffer is
// full, loses an answer behind which the process ends at once, waits without end
// for a process that does not read, and logs what it cannot read whole. Here the
// reader handles one message after another, so a process that is too fast waits,
// and an answer comes after everything that was told before it.
type wire struct {
	// Static after newWire.
	in      *os.File // of the process
	patient time.Duration
	// told handles a notification, asked begins to handle a request and says what
	// gives the answer. Both are called on the reader, in order; the answer is
	// awaited elsewhere.
	told  func(method string, params json.RawMessage)
	asked func(method string, params json.RawMessage) (answer func() (any, *sdk.RequestError))
	odd   func(line []byte) // is no message
	// stuck is told that the process takes no messages any more; closed says that
	// it has closed its input, as it has when it is just ending.
	stuck func(how string, closed bool)
	gone  chan struct{} // closed when the reader has ended

	writing sync.Mutex // held while a message is written

	mu      sync.Mutex // guards all below
	calls   int64
	pending map[int64]chan message
	open    int // requests of the process
	serving sync.WaitGroup
}

// message is any message of JSON-RPC.
type message struct {
	JSONRPC string            `json:"jsonrpc"`
	ID      json.RawMessage   `json:"id,omitempty"`
	Method  string            `json:"method,omitempty"`
	Params  json.RawMessage   `json:"params,omitempty"`
	Result  json.RawMessage   `json:"result,omitempty"`
	Error   *sdk.RequestError `json:"error,omitempty"`
}

func newWire(in *os.File, patient time.Duration) *wire {
	return &wire{in: in, patient: patient, gone: make(chan struct{}), pending: map[int64]chan message{}}
}

// errGone is the error of a call whose process writes no more.
var errGone = errors.New("the process is gone")

// read handles what the process writes until it writes no more, or what is not
// allowed. The error says what that was; nil is the end of the output.
func (w *wire) read(out io.Reader) error {
	defer w.serving.Wait()
	defer close(w.gone)
	r := bufio.NewReaderSize(out, 64<<10)
	garbage := 0
	for {
		line, err := readLine(r)
		if err != nil {
			return readError(err)
		}
		if len(line) == 0 {
			continue
		}
		var m message
		if json.Unmarshal(line, &m) != nil || m.Method == "" && m.ID == nil {
			w.odd(line)
			if garbage++; garbage > maxGarbage {
				return fmt.Errorf("wrote %d lines in a row that are no messages of the protocol", garbage)
			}
			continue
		}
		garbage = 0
		if err := w.take(m); err != nil {
			return err
		}
	}
}

// readError is what the end of the output says about the process.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

var errLongLine = fmt.Errorf("wrote a line longer than %d MiB", maxLine>>20)

// readLine is the next line without the white space around it, valid UTF-8. The
// last one may lack its newline.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, errLongLine
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && len(line) == 0 {
			return nil, err
		}
		return jstext.ValidUTF8(bytes.TrimSpace(line)), nil
	}
}

// take handles one message.
func (w *wire) take(m message) error {
	switch {
	case m.Method == "":
		w.deliver(m)
	case m.ID == nil:
		w.told(m.Method, m.Params)
	default:
		answer := w.asked(m.Method, m.Params)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.open >= maxRequests {
			return fmt.Errorf("made %d requests without waiting for an answer", w.open+1)
		}
		w.open++
		w.serving.Go(func() { w.serve(m.ID, answer) })
	}
	return nil
}

// deliver hands an answer to the call that waits for it.
func (w *wire) deliver(m message) {
	id, err := strconv.ParseInt(string(m.ID), 10, 64)
	if err != nil {
		return // none of ours
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.pending[id]; c != nil {
		delete(w.pending, id)
		c <- m
	}
}

// serve answers a request of the process.
func (w *wire) serve(id json.RawMessage, answer func() (any, *sdk.RequestError)) {
	result, fault := answer()
	m := message{ID: id, Error: fault}
	if fault == nil {
		m.Result, _ = json.Marshal(result) // our own types
	}
	w.mu.Lock()
	w.open--
	w.mu.Unlock()
	_ = w.write(m) // who does not read its answers ends by other limits
}

// call calls a method and decodes the answer into result. The error is that of
// ctx, errGone, or a *sdk.RequestError.
func (w *wire) call(ctx context.Context, method string, params, result any) error {
	id, answered := w.begin()
	defer w.forget(id)
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	if err := w.write(message{ID: json.RawMessage(strconv.FormatInt(id, 10)), Method: method, Params: raw}); err != nil {
		return err
	}
	var m message
	select {
	case m = <-answered:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.gone:
		select {
		case m = <-answered: // its last word
		default:
			return errGone
		}
	}
	if m.Error != nil {
		return m.Error
	}
	if len(m.Result) == 0 {
		return nil // as good as null
	}
	if err := json.Unmarshal(m.Result, result); err != nil {
		return &sdk.RequestError{Code: -32603, Message: "its answer cannot be read: " + err.Error()}
	}
	return nil
}

func (w *wire) begin() (id int64, answered chan message) {
	answered = make(chan message, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	w.pending[w.calls] = answered
	return w.calls, answered
}

func (w *wire) forget(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pending, id)
}

// notify tells the process something.
func (w *wire) notify(method string, params any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	return w.write(message{Method: method, Params: raw})
}

// write writes one message. A process that does not take it in time is given up:
// half a message may be on its way.
func (w *wire) write(m message) error {
	m.JSONRPC = "2.0"
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	// The file of a pipe has deadlines on every system that has process groups;
	// elsewhere the write waits until the process is killed.
	_ = w.in.SetWriteDeadline(time.Now().Add(w.patient))
	if _, err := w.in.Write(append(line, '\n')); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.stuck(fmt.Sprintf("did not read for %v", w.patient), false)
		} else {
			w.stuck("closed its input", true)
		}
		return errGone
	}
	return nil
}
