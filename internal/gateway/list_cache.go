package gateway

import (
	"sync"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

const (
	// maxLists bounds what all remembered lists take, maxList each of them.
	maxLists = 4 << 20
	maxList  = 512 << 10
)

// listCache remembers lists as they were sent: clients ask for the same ones again
// and again, mostly while nothing changes. It knows lists of one view and one
// configuration, the last ones. All methods are safe for concurrent use.
type listCache struct {
	mu    sync.Mutex // guards the rest
	of    *sessions.Combined
	cfg   *config.Config
	known map[listQuestion]listAnswer
	bytes int
}

// listQuestion is all that decides which rows a list of one view shows, and what
// of them.
type listQuestion struct {
	protocol.SessionsListParams // without an offset, so that it can be compared
	offset                      protocol.Int
	paged                       bool
}

// listAnswer is a list and the transcripts that were looked at for it.
type listAnswer struct {
	sessions []byte // inside of the array
	count    int
	page     *listPage
	files    []transcript.Sighting
}

// listQuestionOf is the question that params ask; ok is false where the answer is
// not worth keeping or depends on the time.
func listQuestionOf(p protocol.SessionsListParams) (q listQuestion, ok bool) {
	q.SessionsListParams = p
	if p.Offset != nil {
		q.Offset, q.offset, q.paged = nil, *p.Offset, true
	}
	return q, p.Search == "" && p.ActiveMinutes == 0
}

// get is a list that was remembered of this view and configuration. Whether its
// transcripts are still the same is for the caller to see.
func (c *listCache) get(q listQuestion, of *sessions.Combined, cfg *config.Config) (listAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of != of || c.cfg != cfg {
		return listAnswer{}, false
	}
	a, ok := c.known[q]
	return a, ok
}

// put remembers a list, which must not be changed any more.
func (c *listCache) put(q listQuestion, of *sessions.Combined, cfg *config.Config, a listAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := len(a.sessions) + sightingSize*len(a.files) + 512
	if c.of != of || c.cfg != cfg || c.bytes+size > maxLists {
		c.of, c.cfg, c.known, c.bytes = of, cfg, map[listQuestion]listAnswer{}, 0
	}
	if size > maxList {
		return
	}
	if old, ok := c.known[q]; ok {
		c.bytes -= len(old.sessions) + sightingSize*len(old.files) + 512
	}
	c.known[q] = a
	c.bytes += size
}

// sightingSize is about what one takes.
const sightingSize = 600
