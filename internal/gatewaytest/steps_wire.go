package gatewaytest

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// play plays one step. An error means that it could not be played.
func (p *player) play(s *step) error {
	for _, k := range stepKinds() {
		if k.is(s, k.name) {
			return k.play(p, s)
		}
	}
	return fmt.Errorf("unknown step")
}

func (p *player) playOpen(s *step) error {
	opts := newObject()
	opts.set("token", token)
	if given, ok := s.get("open").(*object); ok {
		for _, k := range given.keys {
			opts.set(k, given.vals[k])
		}
	}
	device := NewDevice()
	if from := opts.get("sameDevice"); truthy(from) {
		device = p.devices[text(from)]
	}
	name := s.text("conn", "a")
	w, err := p.open(name, opts, device)
	if err != nil {
		return err
	}
	p.devices[name] = w.device
	p.vars[name+".device"], p.vars[name+".publicKey"] = undefined, undefined
	if w.device != nil {
		p.vars[name+".device"], p.vars[name+".publicKey"] = w.device.ID, w.device.PublicKey
	}
	p.save(s, w.answer)
	switch {
	case !truthy(w.answer):
		p.compare(s, "res", nil)
	case truthy(member(w.answer, "closedBeforeAnswer")):
		p.compare(s, "res", w.answer)
	default:
		p.compare(s, "res", clean(w.answer, false))
	}
	return nil
}

func (p *player) playRaw(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	if raw, ok := s.get("raw").(string); ok {
		w.sendText(raw, raw)
	} else {
		w.sendText(s.get("raw"), compact(s.get("raw")))
	}
	return nil
}

func (p *player) playRawFill(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	o := s.get("rawFill")
	count, _ := member(o, "count").(float64)
	part := func(name, fallback string) string {
		if v := member(o, name); v != any(undefined) {
			return text(v)
		}
		return fallback
	}
	w.sock.send(opText, wellFormed(part("head", "")+strings.Repeat(part("fill", "x"), int(count))+part("tail", "")))
	return nil
}

func (p *player) playRawHex(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	payload, err := hex.DecodeString(s.text("rawHex", ""))
	if err != nil {
		return err
	}
	switch s.get("opcode") {
	case any(2.0):
		w.sock.send(opBinary, payload)
	case any(9.0):
		w.sock.send(opPing, payload)
		var value any
		select {
		case pong := <-w.pongs:
			o := newObject()
			o.set("pong", hex.EncodeToString(pong))
			value = o
		case <-time.After(5 * time.Second):
		}
		p.compare(s, "value", value)
	default:
		w.sock.send(opText, payload)
	}
	return nil
}

func (p *player) playAnswer(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	id := s.get("answer")
	f := p.take(w, s.ms(15000), func(f *frame) bool {
		return member(f.value, "type") == any("res") && same(member(f.value, "id"), id)
	})
	if f == nil {
		p.save(s, undefined)
		p.compare(s, "res", nil)
		return nil
	}
	p.save(s, f.value)
	p.compare(s, "res", clean(f.value, false))
	return nil
}

func (p *player) playCall(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	res, err := w.call(p.ctx, text(s.get("call")), s.get("params"), s.ms(30000))
	if err != nil {
		return err
	}
	p.save(s, res.value)
	p.compare(s, "res", clean(res.value, false))
	return nil
}

// take waits for a frame that no step has taken yet.
func (p *player) take(w *wire, limit time.Duration, test func(*frame) bool) *frame {
	f := w.wait(p.ctx, limit, func(fs []*frame) *frame {
		for _, f := range fs {
			if !p.taken[f] && test(f) {
				return f
			}
		}
		return nil
	})
	if f != nil {
		p.taken[f] = true
	}
	return f
}

func (p *player) playEvent(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	f := p.take(w, s.ms(15000), func(f *frame) bool {
		return f.event() && same(member(f.value, "event"), s.get("event")) && matches(s.get("where"), f)
	})
	if f == nil {
		p.save(s, undefined)
		p.compare(s, "frame", nil)
		return nil
	}
	p.save(s, f.value)
	p.compare(s, "frame", clean(f.value, s.is("marks")))
	return nil
}

func (p *player) playEvents(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	names, _ := s.get("events").([]any)
	out := []any{}
	for {
		f := p.take(w, s.ms(20000), func(f *frame) bool {
			return f.event() && slices.Contains(names, member(f.value, "event"))
		})
		if f == nil {
			out = append(out, "TIMEOUT")
			break
		}
		out = append(out, clean(f.value, s.is("marks")))
		if matches(s.get("until"), f) {
			break
		}
	}
	p.compare(s, "frames", out)
	return nil
}

func (p *player) playSeqs(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	increasing, some, last := true, false, 0.0
	unnumbered := []any{}
	for _, f := range w.all() {
		if !f.event() {
			continue
		}
		seq, name := member(f.value, "seq"), member(f.value, "event")
		if seq == any(undefined) {
			if !slices.Contains(unnumbered, name) {
				unnumbered = append(unnumbered, name)
			}
			continue
		}
		n, ok := seq.(float64)
		increasing = increasing && ok && (!some || n > last)
		some, last = true, n
	}
	sortTexts(unnumbered)
	value := newObject()
	value.set("increasing", increasing)
	value.set("some", some)
	value.set("unnumbered", unnumbered)
	p.compare(s, "value", value)
	return nil
}

func (p *player) playOrder(s *step) error {
	pause(p.ctx, s.ms(300))
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	names, _ := s.get("order").([]any)
	sent := map[string]any{}
	frames := w.all()
	for _, f := range frames {
		if id, ok := member(f.value, "id").(string); ok && f.out {
			sent[id] = member(f.value, "method")
		}
	}
	value := []any{}
	for _, f := range frames[w.seen:] {
		name := member(f.value, "event")
		switch {
		case f.out:
		case member(f.value, "type") == any("res"):
			id := text(member(f.value, "id"))
			if method, ok := sent[id]; ok {
				id = text(method)
			}
			value = append(value, "res "+id)
		case slices.Contains(names, name):
			value = append(value, "event "+text(name)+what(member(f.value, "payload")))
		}
	}
	w.seen = len(frames)
	p.compare(s, "value", value)
	return nil
}

// what is the reason or state of an event's payload, with a space before it.
func what(payload any) string {
	for _, name := range []string{"reason", "state"} {
		if v := member(payload, name); truthy(v) {
			return " " + text(v)
		}
	}
	return ""
}

func (p *player) playNone(s *step) error {
	pause(p.ctx, s.ms(400))
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	for _, f := range w.all() {
		if f.event() && !p.taken[f] && same(member(f.value, "event"), s.get("none")) && matches(s.get("where"), f) {
			p.compare(s, "value", clean(f.value, false))
			return nil
		}
	}
	p.compare(s, "value", nil)
	return nil
}

func (p *player) playClosed(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	select {
	case <-w.ended:
		p.compare(s, "value", w.end.value())
	case <-time.After(s.ms(15000)):
		p.compare(s, "value", "still open")
	}
	return nil
}

func (p *player) playClose(s *step) error {
	w, err := p.conn(s)
	if err != nil {
		return err
	}
	w.close()
	delete(p.conns, s.text("conn", "a"))
	return nil
}
