package transcript

import (
	"container/list"
	"io/fs"
	"os"
	"sync"
)

// cache remembers what is known of files, as long as size, modification time
// and identity stay: the least recently used ones go first. It is bounded by
// the number of files and by what their indexes take.
type cache struct {
	maxFiles, maxBytes int

	mu    sync.Mutex // guards the rest
	files map[string]*list.Element
	order *list.List // of *cached, most recently used first
	bytes int
}

type cached struct {
	key    string
	info   fs.FileInfo
	index  *index
	titles *titles
	weight int // of index, when it was put

	// settled: the file is as our last append left it, so its name is durable.
	settled bool
}

func newCache(maxFiles, maxBytes int) *cache {
	return &cache{maxFiles: maxFiles, maxBytes: maxBytes, files: map[string]*list.Element{}, order: list.New()}
}

// unchanged reports whether two looks at a path saw the same content.
func unchanged(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// entry is what is known of the file, if it is still the one described by
// info. The caller holds mu.
func (c *cache) entry(key string, info fs.FileInfo) *cached {
	el := c.files[key]
	if el == nil {
		return nil
	}
	e := el.Value.(*cached)
	if !unchanged(e.info, info) {
		return nil
	}
	c.order.MoveToFront(el)
	return e
}

func (c *cache) index(key string, info fs.FileInfo) *index {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entry(key, info); e != nil {
		return e.index
	}
	return nil
}

func (c *cache) titles(key string, info fs.FileInfo) *titles {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entry(key, info); e != nil {
		return e.titles
	}
	return nil
}

func (c *cache) putIndex(key string, info fs.FileInfo, ix *index) {
	c.put(key, info, func(e *cached) { e.index = ix })
}

// putWritten is putIndex for who has just made the file durable. What else is
// known of the file goes: its time may not tell two quick changes apart.
func (c *cache) putWritten(key string, info fs.FileInfo, ix *index) {
	c.drop(key)
	c.put(key, info, func(e *cached) { e.index, e.settled = ix, true })
}

func (c *cache) settled(key string, info fs.FileInfo) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(key, info)
	return e != nil && e.settled
}

func (c *cache) putTitles(key string, info fs.FileInfo, t *titles) {
	c.put(key, info, func(e *cached) { e.titles = t })
}

func (c *cache) put(key string, info fs.FileInfo, set func(*cached)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(key, info)
	if e == nil {
		c.remove(c.files[key])
		e = &cached{key: key, info: info}
		c.files[key] = c.order.PushFront(e)
	}
	c.bytes -= e.weight
	if set(e); e.index != nil {
		e.weight = e.index.weight()
	}
	c.bytes += e.weight
	// The file just put stays, however long it is.
	for c.order.Len() > 1 && (c.order.Len() > c.maxFiles || c.bytes > c.maxBytes) {
		c.remove(c.order.Back())
	}
}

// drop forgets a file.
func (c *cache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.files[key])
}

func (c *cache) remove(el *list.Element) {
	if el == nil {
		return
	}
	e := c.order.Remove(el).(*cached)
	delete(c.files, e.key)
	c.bytes -= e.weight
}
