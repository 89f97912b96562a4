package auth

import (
	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// bootstrapLife is how long a bootstrap token is good, in milliseconds.
const bootstrapLife = 600_000

// Redeem reports whether a bootstrap token is good for just this role and
// these scopes. It is then used up, and those that came to no use in time go
// with it.
func (d *Devices) Redeem(secret, role string, scopes []string) (ok bool, err error) {
	err = d.update(func(s *state) error {
		ok = false
		for name, raw := range s.bootstrap.Clone().All() {
			entry, err := rawjson.Parse(raw)
			if err == nil && !ok && (invitation{entry, name}).good(secret, role, scopes, s.now) {
				s.bootstrap.Delete(name)
				s.bootstrapChanged, ok = true, true
			}
		}
		if ok {
			s.dropOldInvitations()
		}
		return nil
	})
	return ok, err
}

func (s *state) dropOldInvitations() {
	for name, raw := range s.bootstrap.Clone().All() {
		if entry, err := rawjson.Parse(raw); err == nil && (invitation{entry, name}).expired(s.now) {
			s.bootstrap.Delete(name)
		}
	}
}

// invitation is a bootstrap token as bootstrap.json has it under its name.
type invitation struct {
	rawjson.Object
	name string
}

// secret is the token; where the entry does not say it, it is the name.
func (i invitation) secret() string {
	if t := i.Text("token"); !jstext.Blank(t) {
		return t
	}
	return i.name
}

// profile is what the token is good for; old entries have it in themselves.
func (i invitation) profile() rawjson.Object {
	if p, err := rawjson.Parse(i.Get("profile")); err == nil {
		return p
	}
	return i.Object
}

func (i invitation) expired(now int64) bool {
	issued, ok := rawjson.Number(i.Get("ts"))
	if !ok {
		issued, _ = rawjson.Number(i.Get("issuedAtMs"))
	}
	return now-int64(issued) > bootstrapLife
}

func (i invitation) good(secret, role string, scopes []string, now int64) bool {
	profile := i.profile()
	roles, _ := texts(profile.Get("roles"))
	granted, _ := texts(profile.Get("scopes"))
	return equalSecrets(secret, i.secret()) && !i.expired(now) && sameSet(union(roles), []string{role}) &&
		sameSet(NormalizeScopes(granted), NormalizeScopes(scopes))
}
