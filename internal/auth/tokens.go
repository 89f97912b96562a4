package auth

import (
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
)

// IssuedToken is a device token for the one that may use it.
type IssuedToken struct {
	DeviceToken string
	Role        string
	Scopes      []string
	IssuedAtMs  int64
}

// issue gives a device its token for hello: the one it has when that covers
// what is asked for, else a new one. A device without approved scopes, or one
// that asks for more, gets none.
func (s *state) issue(c Claim) *IssuedToken {
	r, ok := s.device(c.DeviceID)
	if !ok {
		return nil
	}
	approved, recorded := r.approved()
	if !recorded || !ScopesWithin(c.Role, c.Scopes, approved) {
		return nil
	}
	t, ok := r.token(c.Role)
	if !ok || t.revoked() || t.secret() == "" || !ScopesWithin(c.Role, t.scopes(), approved) || !ScopesWithin(c.Role, c.Scopes, t.scopes()) {
		t = t.renew(c.Role, c.Scopes, s.now)
		r.setToken(c.Role, t)
		s.setDevice(c.DeviceID, r)
	}
	scopes := t.scopes()
	if scopes == nil {
		scopes = []string{}
	}
	return &IssuedToken{DeviceToken: t.secret(), Role: c.Role, Scopes: scopes, IssuedAtMs: t.issuedAt()}
}

// Verify reports whether a secret is the device's token for a role and covers
// the scopes asked for.
func (d *Devices) Verify(deviceID, role, secret string, scopes []string) (ok bool, err error) {
	err = d.view(func(s *state) { ok = s.verify(deviceID, role, secret, scopes) })
	if ok {
		d.noteUse(tokenName{deviceID, role})
	}
	return ok, err
}

func (s *state) verify(deviceID, role, secret string, scopes []string) bool {
	r, ok := s.device(deviceID)
	if !ok {
		return false
	}
	t, ok := r.token(role)
	if !ok || t.revoked() || t.secret() == "" || !equalSecrets(secret, t.secret()) {
		return false
	}
	approved, recorded := r.approved()
	return recorded && ScopesWithin(role, t.scopes(), approved) && ScopesWithin(role, scopes, t.scopes())
}

// errRotation is the one answer to all refusals of Rotate: it must not tell
// which devices exist.
func errRotation() error { return protocol.Invalidf("device token rotation denied") }

// Rotate gives a device a new token for a role, with the scopes asked for
// (nil: those of the token it has, else the device's). The caller must have
// them all and the device's approval must cover them.
func (d *Devices) Rotate(deviceID, role string, scopes []string, caller []string) (out IssuedToken, err error) {
	role = jstext.Trim(role)
	err = d.update(func(s *state) error {
		r, ok := s.device(deviceID)
		if !ok || role == "" {
			return errRotation()
		}
		t, had := r.token(role)
		asked := scopes
		if asked == nil && had {
			asked = t.scopes()
		} else if asked == nil {
			asked, _ = r.scopes()
		}
		asked = NormalizeScopes(asked)
		approved, recorded := r.approved()
		if !recorded || !ScopesWithin(role, asked, approved) || !ScopesWithin(role, asked, caller) {
			return errRotation()
		}
		t = t.renew(role, asked, s.now)
		t.Put("rotatedAtMs", s.now)
		r.setToken(role, t)
		s.setDevice(deviceID, r)
		out = IssuedToken{DeviceToken: t.secret(), Role: role, Scopes: asked, IssuedAtMs: s.now}
		return nil
	})
	return out, err
}

// Revocation is the end of a token.
type Revocation struct {
	DeviceID, Role string
	At             int64
}

// Revoke ends a device's token for a role. The next handshake with the shared
// secret issues a new one. Repeating moves the time.
func (d *Devices) Revoke(deviceID, role string) (gone Revocation, err error) {
	gone = Revocation{DeviceID: jstext.Trim(deviceID), Role: jstext.Trim(role)}
	err = d.update(func(s *state) error {
		r, _ := s.device(gone.DeviceID)
		t, ok := r.token(gone.Role)
		if !ok {
			return protocol.Invalidf("unknown deviceId/role")
		}
		t.Put("revokedAtMs", s.now)
		r.setToken(gone.Role, t)
		s.setDevice(gone.DeviceID, r)
		gone.At = s.now
		return nil
	})
	if err == nil {
		d.ended(gone.DeviceID)
	}
	return gone, err
}
