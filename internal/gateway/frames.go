package gateway

import (
	"encoding/binary"
	"math"
	"strconv"
	"sync"

	"github.com/parleyd/parley/internal/protocol"
)

// outFrame is one text message that waits to be written.
type outFrame struct {
	text []byte // shared with other connections where it is an event's
	form frameForm
	seq  int64   // of an event, 0 for none
	pool *[]byte // of a roomy one: what takes its memory back once it is written
}

// frameForm says what stands in the text of an outFrame.
type frameForm uint8

const (
	whole    frameForm = iota
	roomy              // whole, behind frameRoom bytes that are free
	event              // an event's frame without its closing brace
	rpcEvent           // the same, to be said as a notification of JSON-RPC
)

// frameRoom is how long the header of a WebSocket frame may be.
const frameRoom = 10

// notification is what stands before an event in JSON-RPC, in place of
// protocol.EventLead.
const notification = `{"jsonrpc":"2.0","method":"event","params":{`

const seqMember = `,"seq":`

// size is how many bytes the message has.
func (f outFrame) size() int {
	n := len(f.text)
	switch f.form {
	case roomy:
		return n - frameRoom
	case event:
		n++
	case rpcEvent:
		n += len(notification) - len(protocol.EventLead) + 2
	}
	if f.seq > 0 {
		n += len(seqMember) + digits(f.seq)
	}
	return n
}

func digits(n int64) int {
	d := 1
	for ; n > 9; n /= 10 {
		d++
	}
	return d
}

// appendText appends the message.
func (f outFrame) appendText(dst []byte) []byte {
	switch f.form {
	case whole:
		return append(dst, f.text...)
	case roomy:
		return append(dst, f.text[frameRoom:]...)
	case event:
		dst = append(dst, f.text...)
	case rpcEvent:
		dst = append(append(dst, notification...), f.text[len(protocol.EventLead):]...)
	}
	if f.seq > 0 {
		dst = strconv.AppendInt(append(dst, seqMember...), f.seq, 10)
	}
	if f.form == rpcEvent {
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendHeader appends the header of a message of n bytes that one frame holds,
// from a server (RFC 6455, 5.2).
func appendHeader(dst []byte, n int) []byte {
	const finalText = 0x81
	switch {
	case n < 126:
		return append(dst, finalText, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, finalText, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, finalText, 127), uint64(n))
	}
}

// framed is a roomy frame as it goes to the socket: the header stands in the room
// before the text.
func (f outFrame) framed() []byte {
	var b [frameRoom]byte
	header := appendHeader(b[:0], f.size())
	copy(f.text[frameRoom-len(header):], header)
	return f.text[frameRoom-len(header):]
}

// batch is what waits for a connection.
type batch struct {
	pongs  [][]byte
	frames []outFrame
	end    *ending // how to close once the frames are written
}

// batchLimit is about how many bytes go to the socket in one write.
const batchLimit = 64 << 10

// part takes what goes to the socket in one write, and says how many bytes of
// messages it has. A large answer is not copied.
func (b *batch) part() (part buffer, size int) {
	if len(b.pongs) == 0 && len(b.frames) == 1 && b.frames[0].form == roomy {
		f := b.frames[0]
		b.frames = nil
		return buffer{f.framed(), f.text, f.pool}, f.size()
	}
	part = newBuffer()
	for _, payload := range b.pongs { // the final fragment of a pong; the payload of a ping has at most 125 bytes
		part.text = append(append(part.text, 0x8a, byte(len(payload))), payload...)
	}
	b.pongs = nil
	for len(b.frames) > 0 && (size == 0 || size+b.frames[0].size() <= batchLimit) {
		f := b.frames[0]
		n := f.size()
		part.text = f.appendText(appendHeader(part.text, n))
		part.all = part.text
		buffer{all: f.text, pool: f.pool}.free()
		size += n
		b.frames = b.frames[1:]
	}
	return part, size
}

// buffer holds what goes to the socket.
type buffer struct {
	text []byte
	all  []byte  // the memory that text lies in, from its beginning
	pool *[]byte // what it goes back in, nil where it does not
}

// buffers are for what is written next: memory that is new costs more than what
// is copied into it.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func newBuffer() buffer {
	pool := buffers.Get().(*[]byte)
	return buffer{(*pool)[:0], (*pool)[:0], pool}
}

// newRoomy is the beginning of a roomy frame's text.
func newRoomy() (text []byte, pool *[]byte) {
	pool = buffers.Get().(*[]byte)
	if cap(*pool) < frameRoom {
		*pool = make([]byte, 0, 512)
	}
	return (*pool)[:frameRoom], pool
}

// free gives the memory back; nobody may use the text any more.
func (b buffer) free() {
	if b.pool == nil || cap(b.all) > 2*batchLimit {
		return
	}
	*b.pool = b.all[:0]
	buffers.Put(b.pool)
}
