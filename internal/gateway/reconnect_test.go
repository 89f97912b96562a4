package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/gatewaytest"
	"github.com/parleyd/parley/internal/rawjson"
)

// chatEvent is what a client of protocol 4 needs of an event chat.
type chatEvent struct {
	Event   string `json:"event"`
	Payload struct {
		RunID     string `json:"runId"`
		Seq       int    `json:"seq"`
		State     string `json:"state"`
		DeltaText string `json:"deltaText"`
		Replace   bool   `json:"replace"`
		Message   struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"message"`
	} `json:"payload"`
}

// A client that comes in the middle of an answer, at whatever moment, shows what
// has been said and goes on with the deltas: nothing is missing, nothing stands
// there twice.
func TestReconnectInTheMiddleOfAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, l *gatewaytest.Listener, _ func()) {
		sender := gatewaytest.Connect(t, l, "")
		moments := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
		const rounds, each = 10, 20
		inTheMiddle := 0
		for round := range rounds {
			inTheMiddle += comeAndFollow(t, l, sender, fmt.Sprint("s", round), each, moments)
		}
		if inTheMiddle < rounds*each/2 {
			t.Errorf("%d of %d came in the middle of the answer", inTheMiddle, rounds*each)
		}
	})
}

// comeAndFollow has clients come while an answer is given, each at a moment of
// its own, and says how many came in its middle.
func comeAndFollow(t *testing.T, l *gatewaytest.Listener, sender *gatewaytest.Client, session string, n int, moments *rand.Rand) (inTheMiddle int) {
	t.Helper()
	sender.Call("chat.send", fmt.Sprintf(`{"sessionKey":%q,"message":"[[drip 100 20]]","idempotencyKey":%[1]q}`, session)) // 2 s
	var all []*gatewaytest.Client
	var histories []rawjson.Value
	for range n {
		time.Sleep(time.Duration(moments.IntN(2000/n*2)) * time.Millisecond)
		c := gatewaytest.Connect(t, l, `{"maxProtocol":4,"device":false}`)
		histories = append(histories, c.Call("chat.history", fmt.Sprintf(`{"sessionKey":%q}`, session)))
		all = append(all, c)
	}
	time.Sleep(5 * time.Second)
	synctest.Wait()
	for i, c := range all {
		text, final, met := built(t, histories[i], c.Frames())
		if met {
			inTheMiddle++
		}
		if final != "" && text != final {
			t.Fatalf("client %d built\n%q\nof %s\nwant\n%q", i, text, histories[i], final)
		}
		c.Close()
	}
	return inTheMiddle
}

// built builds the answer as a client does, of the history and the deltas behind
// it. final is what the gateway said it was, "" when the client came too late.
func built(t *testing.T, history rawjson.Value, frames []rawjson.Value) (text, final string, inTheMiddle bool) {
	t.Helper()
	var h struct {
		InFlightRun *struct {
			RunID string `json:"runId"`
			Text  string `json:"text"`
			Seq   int    `json:"seq"`
		} `json:"inFlightRun"`
	}
	if err := rawjson.Unmarshal(history, &h); err != nil {
		t.Fatal(err)
	}
	seq := 0
	if h.InFlightRun != nil {
		inTheMiddle, text, seq = h.InFlightRun.Text != "", h.InFlightRun.Text, h.InFlightRun.Seq
	}
	for _, f := range frames {
		var e chatEvent
		if rawjson.Unmarshal(f, &e) != nil || e.Event != "chat" {
			continue
		}
		switch p := e.Payload; {
		case p.State == "final":
			final = p.Message.Content[0].Text
		case p.Seq <= seq: // the history had it
		case p.Replace:
			text = p.DeltaText
		default:
			text += p.DeltaText
		}
	}
	return text, final, inTheMiddle
}
