package transcript

import (
	"container/list"
	"io/fs"
	"sync"

	"github.com/parleyd/parley/internal/rawjson"
)

// A Question is what is asked of a transcript whose answer depends on nothing
// else: the same question to the same content has the same answer.
type Question struct {
	Kind        string
	Last, Chars int // of messages, and of each
}

const (
	// maxAnswers bounds what all answers take, maxAnswer each of them: those that
	// people look at again and again are short.
	maxAnswers = 16 << 20
	maxAnswer  = 256 << 10
)

// Answer is the answer to a question about the transcript of r, which make gives
// in JSON; one that was given before is given again as long as the file is the
// same. It must not be changed. make is asked when there is no file, too.
func (l *Library) Answer(r Ref, q Question, make func() (rawjson.Value, error)) (rawjson.Value, error) {
	p, err := l.existing(r)
	if err != nil || p.info == nil {
		return make()
	}
	key := p.key()
	if v := l.answers.get(key, p.info, q); v != nil {
		return v, nil
	}
	// The file was looked at before it is read: what is appended meanwhile may be
	// in the answer, and then the file is another one than the one looked at.
	v, err := make()
	if err == nil {
		l.answers.put(key, p.info, q, v)
	}
	return v, err
}

// answers remembers the answers that were given last.
type answers struct {
	mu    sync.Mutex // guards the rest
	known map[asked]*list.Element
	order list.List // of *given, most recently used first
	bytes int
}

type asked struct {
	key string
	q   Question
}

type given struct {
	asked
	info fs.FileInfo
	v    rawjson.Value
}

func (a *answers) get(key string, info fs.FileInfo, q Question) rawjson.Value {
	a.mu.Lock()
	defer a.mu.Unlock()
	el := a.known[asked{key, q}]
	if el == nil {
		return nil
	}
	g := el.Value.(*given)
	if !unchanged(g.info, info) {
		a.remove(el)
		return nil
	}
	a.order.MoveToFront(el)
	return g.v
}

func (a *answers) put(key string, info fs.FileInfo, q Question, v rawjson.Value) {
	if len(v) > maxAnswer {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[asked]*list.Element{}
	}
	g := &given{asked{key, q}, info, v}
	a.remove(a.known[g.asked])
	a.known[g.asked] = a.order.PushFront(g)
	a.bytes += g.weight()
	for a.bytes > maxAnswers {
		a.remove(a.order.Back())
	}
}

// perAnswer is what one takes beside its text.
const perAnswer = 500

func (g *given) weight() int { return len(g.v) + len(g.key) + perAnswer }

func (a *answers) remove(el *list.Element) {
	if el == nil {
		return
	}
	g := a.order.Remove(el).(*given)
	delete(a.known, g.asked)
	a.bytes -= g.weight()
}
