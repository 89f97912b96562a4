package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/coder/websocket"

	"github.com/parleyd/parley/internal/rawjson"
)

// frame is a response or an event.
type frame struct {
	Type    string        `json:"type"`
	ID      string        `json:"id"`
	OK      bool          `json:"ok"`
	Payload rawjson.Value `json:"payload"`
	Error   *Error        `json:"error"`
	Event   string        `json:"event"`
	Seq     int64         `json:"seq"`
}

// failure is why the request failed.
func (f *frame) failure() error {
	if f.Error == nil {
		return errors.New("the gateway refused without a reason")
	}
	return f.Error
}

func read(ctx context.Context, ws *websocket.Conn) (*frame, error) {
	_, text, err := ws.Read(ctx)
	if err != nil {
		return nil, closeText(err)
	}
	f := &frame{}
	if err := rawjson.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("read a frame of the gateway: %w", err)
	}
	return f, nil
}

// closeText says in words that the gateway has closed the connection.
func closeText(err error) error {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return err
	}
	if closed.Reason == "" {
		return fmt.Errorf("the gateway closed the connection (code %d)", closed.Code)
	}
	return fmt.Errorf("the gateway closed the connection: %s (code %d)", closed.Reason, closed.Code)
}

func appendRequest(dst []byte, id, method string, params rawjson.Value) []byte {
	dst = append(dst, `{"type":"req","id":`...)
	dst = rawjson.AppendString(dst, id)
	dst = append(dst, `,"method":`...)
	dst = rawjson.AppendString(dst, method)
	if params != nil {
		dst = append(append(dst, `,"params":`...), params...)
	}
	return append(dst, '}')
}
