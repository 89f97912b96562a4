package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// run does what no gateway can do without: it writes down that it took the message,
// the message, the answer and the end; it says that it began, asks the model, and
// says that it ended. The answer comes behind the first append, as "started" does.
func (f *floor) run(c *floorConn, text []byte) {
	id, pieces := numberIn(text, "run"), numberIn(text, "pieces")
	state := "final"
	if err := f.ask(c, id, pieces); err != nil {
		state = "error"
	}
	_ = c.answer(fmt.Appendf(nil, `{"type":"event","event":"chat","payload":{"runId":"%d","state":"%s"}}`, id, state)) // who asked may be gone
}

func (f *floor) ask(c *floorConn, id, pieces int) error {
	if err := f.appends(1); err != nil {
		return err
	}
	if err := c.answer(fmt.Appendf(nil, `{"type":"res","id":"%d","ok":true,"payload":{"runId":"%d","status":"started"}}`, id, id)); err != nil {
		return err
	}
	if err := f.appends(1); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"model":"m","stream":true,"messages":[{"role":"user","content":"pieces %d 0 %d"}]}`, pieces, id)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, f.model+"/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := f.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
	}
	return errors.Join(lines.Err(), f.appends(2))
}
