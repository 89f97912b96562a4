package gateway

import "time"

// flush writes what a turn has queued, as far as the socket takes it without
// waiting; what is left gets a writer. The caller holds the outbox.
func (c *conn) flush() {
	if !c.door.canTryNow() {
		c.out.start()
		return
	}
	b, state := c.out.takeQuick()
	switch state {
	case nothing:
		return
	case needsTime:
		c.out.start()
		return
	}
	frames := b.frames
	part, size := b.part()
	switch all, err := c.door.try(part.text); {
	case err != nil:
		c.out.drop()
		c.out.start()
	case !all:
		c.out.owe(size)
		c.out.start()
	default:
		part.free()
		if c.out.finished(frames, size) {
			c.out.start()
		}
	}
}

// hurry bounds how long a connection that is to end may take for it. A peer that
// does not read holds its writer; it is given up on after a while, at once when
// it is gone.
func (c *conn) hurry() {
	if c.out.isAbrupt() {
		_ = c.door.Close() // the writer, and the reader, learn of it
		return
	}
	time.AfterFunc(drainTimeout, func() { _ = c.door.Close() })
}

// writer is the goroutine that writes what no turn of a reader does.
func (c *conn) writer() {
	if c.write() {
		close(c.gone)
	}
}

// write writes what is queued until nothing is, or until the connection is to
// end: then it closes the socket and reports true. There is one writer at a time,
// and nobody else closes the socket in good order: a close from elsewhere would
// cut the frame in hand, and the client would see a bare end instead of the code.
func (c *conn) write() (closed bool) {
	if n := c.out.owed(); n > 0 {
		if _, err := c.door.Write(nil); err != nil {
			return c.giveUp()
		}
		c.out.written(n)
	}
	for {
		b, ok := c.out.take()
		if !ok {
			return false
		}
		if b.end != nil && b.end.abrupt {
			return c.giveUp() // the peer is gone; there is nobody to tell
		}
		if err := c.writeAll(b); err != nil {
			return c.giveUp()
		}
		if b.end != nil {
			_ = c.ws.Close(b.end.status, b.end.reason)
			return true
		}
	}
}

// giveUp closes the socket without a word.
func (c *conn) giveUp() (closed bool) {
	c.out.drop()
	_ = c.ws.CloseNow()
	return true
}

// writeAll writes a batch, many frames in one system call where they are small.
func (c *conn) writeAll(b batch) error {
	all := b.frames
	for len(b.frames)+len(b.pongs) > 0 {
		part, size := b.part()
		if _, err := c.door.Write(part.text); err != nil {
			return err
		}
		part.free()
		c.out.written(size)
	}
	c.out.recycle(all)
	return nil
}
