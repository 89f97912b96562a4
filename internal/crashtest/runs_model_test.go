package crashtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// slowModel is an OpenAI-compatible server that outlives the daemon and counts
// how often it was asked for the answer to each message. A message says how many
// words it wants, and how many milliseconds apart: "#name# 5 20".
type slowModel struct {
	url string

	mu    sync.Mutex // guards asked
	asked map[string]int
}

func startSlowModel(t *testing.T) *slowModel {
	m := &slowModel{asked: map[string]int{}}
	s := httptest.NewServer(http.HandlerFunc(m.answer))
	t.Cleanup(s.Close)
	m.url = s.URL + "/v1"
	return m
}

// requests is how often the model was asked to answer a message.
func (m *slowModel) requests(text string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[text]
}

var wanted = regexp.MustCompile(`^#[^#]+# (\d+) (\d+)`)

func (m *slowModel) answer(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Messages []struct {
			Role    string
			Content json.RawMessage
		}
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Messages) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var parts []struct{ Text string }
	if json.Unmarshal(body.Messages[len(body.Messages)-1].Content, &parts) != nil || len(parts) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	text := parts[0].Text
	m.mu.Lock()
	m.asked[text]++
	m.mu.Unlock()
	words, gap := 1, 0
	if found := wanted.FindStringSubmatch(text); found != nil {
		words, _ = strconv.Atoi(found[1])
		gap, _ = strconv.Atoi(found[2])
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range words {
		fmt.Fprintf(w, `data: {"id":"c","choices":[{"index":0,"delta":{"content":"w%d "}}]}`+"\n\n", i+1)
		w.(http.Flusher).Flush()
		select {
		case <-time.After(time.Duration(gap) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
	fmt.Fprint(w, `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
}
