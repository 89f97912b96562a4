package gatewaytest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (p *player) playStop(*step) error {
	p.halt(false)
	return nil
}

func (p *player) playStart(*step) error {
	for name, w := range p.conns {
		w.terminate()
		delete(p.conns, name)
	}
	return p.start()
}

func (p *player) playRestart(s *step) error {
	p.halt(s.is("kill"))
	clear(p.conns)
	return p.start()
}

func (p *player) playSleep(s *step) error {
	ms, _ := s.get("sleep").(float64)
	pause(p.ctx, time.Duration(ms*float64(time.Millisecond)))
	return nil
}

// fileGrace is how long after its answer a gateway may write its files.
const fileGrace = time.Second

// playFile looks at a file or directory until it is as recorded, or the time
// is over.
func (p *player) playFile(s *step) error {
	before := p.pairing.copy()
	for end := time.Now().Add(fileGrace); ; {
		v, err := p.look(s)
		if err != nil {
			return err
		}
		p.pairing = before.copy()
		faults := p.check(s, "value", v)
		if len(faults) == 0 || !time.Now().Before(end) {
			p.faults = append(p.faults, faults...)
			p.save(s, v)
			return nil
		}
		pause(p.ctx, 40*time.Millisecond)
	}
}

// look reads what a read or ls step names; null when it is not there.
func (p *player) look(s *step) (any, error) {
	path := filepath.Join(p.state, text(firstOf(s.get("read"), s.get("ls"))))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if s.is("ls") {
		return p.list(path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	switch s.get("as") {
	case any("text"):
		return string([]rune(string(raw))), nil // bytes that are no UTF-8 become U+FFFD
	case any("jsonl"):
		return parseLines(string(raw)), nil
	}
	return parseJSON(raw)
}

func parseLines(content string) any {
	lines := []any{}
	for _, line := range strings.Split(content, "\n") {
		if line == "" {
			continue
		}
		v, err := parseJSON([]byte(line))
		if err != nil {
			o := newObject()
			o.set("unparsed", line)
			v = o
		}
		lines = append(lines, v)
	}
	return lines
}

// list is the names in a directory, without locks, journals and temporary
// files: these are the gateway's own affair.
func (p *player) list(path string) (any, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	passing := regexp.MustCompile(`\.lock$|\.flock$|\.journal$|\.tmp$`)
	names := []any{}
	for _, e := range entries {
		if !passing.MatchString(e.Name()) {
			names = append(names, p.mask.text(e.Name()))
		}
	}
	sortTexts(names)
	return names, nil
}

func (p *player) playWrite(s *step) error {
	rel := text(s.get("write"))
	if strings.HasSuffix(rel, "sessions.json") {
		// A gateway is granted a second to write what it holds in memory.
		pause(p.ctx, 1100*time.Millisecond)
	}
	return p.put(rel, firstOf(s.get("text"), s.get("json")))
}

// playHTTP sends a request as JavaScript's fetch does.
func (p *player) playHTTP(s *step) error {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := p.httpRequest(s)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch failed: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	value := newObject()
	value.set("status", float64(res.StatusCode))
	kind, _, _ := strings.Cut(strings.Join(res.Header.Values("Content-Type"), ", "), ";")
	value.set("type", kind)
	raw = []byte(strings.TrimPrefix(string([]rune(string(raw))), "\ufeff"))
	body, err := parseJSON(raw)
	if err != nil {
		body = string(raw)
	}
	value.set("body", body)
	if show, ok := s.get("show").([]any); ok {
		value.set("headers", shownHeaders(res.Header, show))
	}
	p.compare(s, "value", value)
	return nil
}

func shownHeaders(h http.Header, names []any) *object {
	out := newObject()
	for _, n := range names {
		var v any
		if values := h.Values(text(n)); len(values) > 0 {
			v = strings.Join(values, ", ")
		}
		out.set(text(n), v)
	}
	return out
}

func (p *player) httpRequest(s *step) (*http.Request, error) {
	var body io.Reader
	if v := s.get("body"); !nullish(v) {
		body = strings.NewReader(string(wellFormed(text(v))))
	}
	method := s.text("method", "GET")
	if up := strings.ToUpper(method); slices.Contains([]string{"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"}, up) {
		method = up
	}
	if body != nil && (method == "GET" || method == "HEAD") {
		return nil, errors.New("a GET or HEAD request cannot have a body")
	}
	host := fmt.Sprintf("127.0.0.1:%d", p.port)
	req, err := http.NewRequestWithContext(p.ctx, method, "http://"+host+"/", body)
	if err != nil {
		return nil, err
	}
	req.URL = &url.URL{Scheme: "http", Host: host, Opaque: requestTarget(text(s.get("http")))}
	req.Header = http.Header{"Accept": {"*/*"}, "Accept-Language": {"*"}, "Sec-Fetch-Mode": {"cors"}, "User-Agent": {"node"}}
	if body != nil {
		req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	headers, ok := s.get("headers").(*object)
	if !ok {
		return req, nil
	}
	for _, name := range headers.keys {
		req.Header.Set(name, text(headers.vals[name]))
		if strings.EqualFold(name, "host") {
			req.Host = text(headers.vals[name])
		}
	}
	return req, nil
}
