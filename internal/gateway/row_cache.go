package gateway

import (
	"slices"
	"sync"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/sessions"
	"github.com/parleyd/parley/internal/transcript"
)

// maxRows is how many rows are remembered, some 0.7 KB each.
const maxRows = 4096

// rowCache remembers rows of lists as they were sent: pages ask for the same ones
// again and again, and a row costs more to make than to copy. All methods are safe
// for concurrent use.
type rowCache struct {
	mu   sync.Mutex // guards rows
	rows map[rowQuestion]listedRow
}

// rowQuestion is a row that a list wants.
type rowQuestion struct {
	key          string
	title, words bool // with derived title, with last message
}

// listedRow is a row and all that it was made of.
type listedRow struct {
	entry    sessions.Entry
	cfg      *config.Config
	children []string
	file     transcript.Seen // what was looked at of the transcript
	json     []byte
}

// get is a remembered row that was made of just this, nil when there is none. Only
// a row that needed the transcript has it looked for.
func (c *rowCache) get(q rowQuestion, e sessions.Entry, cfg *config.Config, children []string, look *transcript.Look) []byte {
	c.mu.Lock()
	r, ok := c.rows[q]
	c.mu.Unlock()
	if !ok || r.entry != e || r.cfg != cfg || !slices.Equal(r.children, children) || !look.Same(r.file) {
		return nil
	}
	return r.json
}

// put remembers a row. When there are too many all others are forgotten: who walks
// through a large store has no use for them, and the next page is soon made.
func (c *rowCache) put(q rowQuestion, r listedRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil || len(c.rows) >= maxRows {
		c.rows = map[rowQuestion]listedRow{}
	}
	c.rows[q] = r
}
