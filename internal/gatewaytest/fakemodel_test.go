package gatewaytest

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func complete(t *testing.T, m *Model, body string) (status int, answer string, err error) {
	t.Helper()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Post(m.BaseURL()+"/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, regexp.MustCompile(`"created":[0-9]+,`).ReplaceAllString(string(raw), ""), err
}

func ask(text, more string) string {
	return `{"model":"m1",` + more + `"messages":[{"role":"user","content":"no"},{"role":"assistant","content":"x"},{"role":"user","content":` + text + `}]}`
}

const chunk = `data: {"id":"chatcmpl-1","model":"m1","object":"chat.completion.chunk",`

func TestModelStreams(t *testing.T) {
	m := StartModel(t)
	delta := func(s string) string {
		return chunk + `"choices":[{"index":0,"delta":{"content":"` + s + `"},"finish_reason":null}]}` + "\n\n"
	}
	begin := chunk + `"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"
	end := func(n string, sum string) string {
		return chunk + `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
			chunk + `"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":` + n + `,"total_tokens":` + sum + `}}` + "\n\ndata: [DONE]\n\n"
	}
	for text, want := range map[string]string{
		`" hi  you "`:                           delta("echo: ") + delta("hi ") + delta(" ") + delta("you") + end("4", "104"),
		`[{"text":"a"},{"x":1},{"text":"b c"}]`: delta("echo: ") + delta("ab ") + delta("c") + end("3", "103"),
		`"x [[say one two ]] y"`:                delta("one ") + delta("two ") + end("2", "102"),
		`"[[say ]]"`:                            delta("") + end("1", "101"),
		`"[[say a]][[drip 2 1]]"`:               delta("w1 ") + delta("w2 ") + end("2", "102"),
		`null`:                                  delta("echo: ") + end("1", "101"),
	} {
		status, got, err := complete(t, m, ask(text, `"stream":true,`))
		if err != nil || status != 200 || got != begin+want {
			t.Errorf("%s: %d %v\ngot  %s\nwant %s", text, status, err, got, begin+want)
		}
	}
	_, got, err := complete(t, m, ask(`"[[cut]]"`, `"stream":true,`))
	if err == nil || got != begin+delta("cut ")+delta("short") {
		t.Errorf("cut: %v, %s", err, got)
	}
}

func TestModelAnswersWhole(t *testing.T) {
	m := StartModel(t)
	for body, want := range map[string]string{
		ask(`"[[say a \"b\"]]"`, ""): `{"id":"chatcmpl-1","model":"m1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a \"b\""},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":2,"total_tokens":102}}`,
		ask(`"[[fail 429]]"`, ""):    `{"error":{"message":"scripted failure 429","type":"server_error"}}`,
		`nonsense`:                   `{}`,
	} {
		if _, got, err := complete(t, m, body); err != nil || got != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", body, err, got, want)
		}
	}
	if got := m.Requests(); got != 2 {
		t.Errorf("%d requests recorded, want the 2 that are JSON", got)
	}
}
