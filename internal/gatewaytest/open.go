package gatewaytest

import (
	"context"
	"errors"
	"time"

	"github.com/parleyd/parley/internal/jstext"
)

// openOptions are the options of an open step over their defaults.
type openOptions struct {
	*object
	device *Device // nil: connect without one
}

func newOpenOptions(given *object, device *Device) (openOptions, error) {
	defaults, err := parseJSON([]byte(`{
		"role": "operator",
		"scopes": ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"],
		"client": {"id": "cli", "version": "0.0.0", "platform": "linux", "mode": "cli"},
		"caps": ["tool-events"], "headers": {}, "minProtocol": 3, "maxProtocol": 3, "connect": true, "extra": {}}`))
	if err != nil {
		return openOptions{}, err
	}
	o := defaults.(*object)
	for _, k := range given.keys {
		o.set(k, given.vals[k])
	}
	if !o.has("device") {
		return openOptions{o, device}, nil
	}
	if truthy(o.get("device")) {
		return openOptions{}, errors.New("open: a device cannot be given, only false for none")
	}
	return openOptions{o, nil}, nil
}

// openWire opens a connection and, unless told not to, does the handshake.
func openWire(ctx context.Context, to endpoint, o openOptions) (*wire, error) {
	path, _ := o.get("path").(string)
	headers, ok := o.get("headers").(*object)
	if !ok {
		headers = newObject()
	}
	w, err := dialWire(ctx, to, path, headers)
	if err != nil {
		return nil, err
	}
	w.device = o.device
	if !truthy(o.get("connect")) {
		return w, nil
	}
	if err := w.connect(ctx, o); err != nil {
		w.terminate()
		return nil, err
	}
	return w, nil
}

// connect waits for the challenge, sends connect and keeps what came of it.
func (w *wire) connect(ctx context.Context, o openOptions) error {
	challenge := w.wait(ctx, 15*time.Second, func(fs []*frame) *frame {
		for _, f := range fs {
			if f.event() && member(f.value, "event") == any("connect.challenge") {
				return f
			}
		}
		return nil
	})
	if challenge == nil {
		return errors.New("timeout waiting for a frame")
	}
	answered := w.begin("connect", o.params(at(challenge.value, "payload.nonce")))
	select {
	case f := <-answered:
		w.answer = f.value
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(30 * time.Second):
		return errors.New("connect: no answer in 30000 ms")
	case <-w.ended:
		select {
		case f := <-answered: // it came before the end
			w.answer = f.value
		default:
			closed := newObject()
			closed.set("closedBeforeAnswer", w.end.value())
			w.answer = closed
		}
	}
	return nil
}

// params are the params of connect for a challenge's nonce.
func (o openOptions) params(nonce any) *object {
	p := newObject()
	for _, k := range []string{"minProtocol", "maxProtocol", "client", "role", "scopes", "caps"} {
		p.set(k, o.get(k))
	}
	auth := newObject()
	for _, k := range []string{"token", "password", "deviceToken"} {
		if v := o.get(k); truthy(v) {
			auth.set(k, v)
		}
	}
	p.set("auth", auth)
	if extra, ok := o.get("extra").(*object); ok {
		for _, k := range extra.keys {
			p.set(k, extra.vals[k])
		}
	}
	if o.device != nil {
		p.set("device", o.proof(nonce, at(p, "auth.bootstrapToken")))
	}
	return p
}

// proof is the device member of connect. The sign option changes what is
// signed, deviceExtra what is sent.
func (o openOptions) proof(nonce, bootstrap any) *object {
	sign := func(name string) any { return member(o.get("sign"), name) }
	skew, _ := sign("skewMs").(float64)
	signedAt := float64(time.Now().UnixMilli()) + skew
	version := firstOf(sign("version"), "v3")
	nonce = firstOf(sign("nonce"), nonce)
	scopes, _ := firstOf(sign("scopes"), o.get("scopes"), []any{}).([]any)
	client := o.get("client")
	parts := []any{version, o.device.ID, member(client, "id"), member(client, "mode"),
		firstOf(sign("role"), o.get("role"), "operator"), join(scopes, ","), numberText(signedAt),
		firstOf(sign("token"), o.get("token"), o.get("deviceToken"), bootstrap, ""), nonce}
	if version != any("v2") {
		for _, name := range []string{"platform", "deviceFamily"} {
			s, _ := member(client, name).(string)
			parts = append(parts, jstext.Lower(jstext.Trim(s)))
		}
	}
	d := newObject()
	d.set("id", o.device.ID)
	d.set("publicKey", o.device.PublicKey)
	d.set("signature", o.device.Sign(join(parts, "|")))
	d.set("signedAt", signedAt)
	d.set("nonce", nonce)
	if extra, ok := o.get("deviceExtra").(*object); ok {
		for _, k := range extra.keys {
			d.set(k, extra.vals[k])
		}
	}
	return d
}

// firstOf is a ?? b ?? …: the first that is neither null nor undefined.
func firstOf(vs ...any) any {
	for _, v := range vs {
		if !nullish(v) {
			return v
		}
	}
	return vs[len(vs)-1]
}
