package auth

import (
	"github.com/parleyd/parley/internal/rawjson"
)

// bootstrapLife is how long a bootstrap token is good, in milliseconds.
const bootstrapLife = 600_000

// Redeem reports whether a bootstrap token is good for just this role and
// these scopes. It is then used up.
func (d *Devices) Redeem(secret, role string, scopes []string) (ok bool, err error) {
	err = d.update(func(s *state) error {
		ok = false
		for key, raw := range s.bootstrap.All() {
			entry, err := rawjson.Parse(raw)
			if err != nil || !(invitation{entry}).good(secret, role, scopes, s.now) {
				continue
			}
			s.bootstrap.Delete(key)
			s.bootstrapChanged, ok = true, true
			break
		}
		return nil
	})
	return ok, err
}

// invitation is a bootstrap token as bootstrap.json has it.
type invitation struct{ rawjson.Object }

func (i invitation) good(secret, role string, scopes []string, now int64) bool {
	profile, err := rawjson.Parse(i.Get("profile"))
	if err != nil || i.Text("token") == "" || !equalSecrets(secret, i.Text("token")) {
		return false
	}
	issued := i.Get("ts")
	if rawjson.Null(issued) {
		issued = i.Get("issuedAtMs")
	}
	roles, _ := texts(profile.Get("roles"))
	granted, _ := texts(profile.Get("scopes"))
	return now-millis(issued) <= bootstrapLife && sameSet(union(roles), []string{role}) &&
		sameSet(NormalizeScopes(granted), NormalizeScopes(scopes))
}
