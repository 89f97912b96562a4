package auth

import (
	"crypto/rand"
	"encoding/base64"
	"slices"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/rawjson"
)

// record is a paired device as paired.json has it, fields that we do not know
// included.
type record struct{ rawjson.Object }

// device is the paired device with this id.
func (s *state) device(id string) (record, bool) {
	o, err := rawjson.Parse(s.paired.Get(jstext.Trim(id)))
	return record{o}, err == nil
}

func (s *state) setDevice(id string, r record) {
	id = jstext.Trim(id)
	before := s.paired.Get(id)
	after := r.JSON()
	if string(before) == string(after) {
		return
	}
	s.paired.Set(id, after)
	s.pairedChanged = true
}

// roles are the approved roles; records of old versions have only the one.
func (r record) roles() []string {
	list, ok := texts(r.Get("roles"))
	if !ok {
		list = []string{r.Text("role")}
	}
	return union(list)
}

// scopes are those the device has had approved or used; recorded is false when
// the record has none at all.
func (r record) scopes() (list []string, recorded bool) {
	if list, recorded = texts(r.Get("scopes")); recorded {
		return list, true
	}
	return texts(r.Get("approvedScopes"))
}

// approved are the scopes that a token may have.
func (r record) approved() (list []string, recorded bool) {
	if list, recorded = texts(r.Get("approvedScopes")); recorded {
		return list, true
	}
	return r.scopes()
}

// recordFields are the fields that we know, in the order in which an approval
// writes them.
var recordFields = []string{
	"deviceId", "publicKey", "displayName", "platform", "deviceFamily", "clientId", "clientMode", "role", "roles",
	"scopes", "approvedScopes", "remoteIp", "tokens", "createdAtMs", "approvedAtMs",
}

// arrange puts the fields that we know in their order and the others behind.
func (r *record) arrange() {
	var out rawjson.Object
	for _, name := range recordFields {
		if r.Has(name) {
			out.Set(name, r.Get(name))
			r.Delete(name)
		}
	}
	for name, value := range r.All() {
		out.Set(name, value)
	}
	r.Object = out
}

// token is the device's token for a role.
func (r record) token(role string) (token, bool) {
	tokens, err := rawjson.Parse(r.Get("tokens"))
	if err != nil {
		return token{}, false
	}
	o, err := rawjson.Parse(tokens.Get(role))
	return token{o}, err == nil
}

func (r *record) setToken(role string, t token) {
	tokens, err := rawjson.Parse(r.Get("tokens"))
	if err != nil {
		tokens = rawjson.Object{}
	}
	tokens.Set(role, t.JSON())
	r.Set("tokens", tokens.JSON())
}

// token is what lets a device in without the shared secret, as the file has it.
type token struct{ rawjson.Object }

func (t token) secret() string   { return t.Text("token") }
func (t token) revoked() bool    { return rawjson.Truthy(t.Get("revokedAtMs")) }
func (t token) scopes() []string { list, _ := texts(t.Get("scopes")); return list }

// issuedAt is when this secret was made.
func (t token) issuedAt() int64 {
	if at := millis(t.Get("rotatedAtMs")); at != 0 {
		return at
	}
	return millis(t.Get("createdAtMs"))
}

// renew is a new secret with these scopes in the place of t, which is the zero
// token when there was none.
func (t token) renew(role string, scopes []string, now int64) token {
	existed := t.Len() > 0
	next := token{t.Clone()}
	next.Put("token", newSecret())
	next.Put("role", role)
	next.Put("scopes", NormalizeScopes(scopes))
	if existed {
		next.Put("rotatedAtMs", now)
	}
	if !existed || millis(next.Get("createdAtMs")) == 0 {
		next.Put("createdAtMs", now)
	}
	next.Delete("revokedAtMs")
	return next
}

// newSecret is 32 random bytes in base64url.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// setUsed puts the time of last use into the token, if it is still there. It
// does not count as a change: writing it may wait.
func (s *state) setUsed(name tokenName, at int64) {
	r, ok := s.device(name.deviceID)
	if !ok {
		return
	}
	t, ok := r.token(name.role)
	if !ok {
		return
	}
	t.Put("lastUsedAtMs", at)
	r.setToken(name.role, t)
	s.paired.Set(name.deviceID, r.JSON())
}

// shown is a record as clients see it: tokens as a list without the secrets.
func (r record) shown() rawjson.Value {
	out := r.Clone()
	out.Delete("approvedScopes", "tokens")
	tokens, err := rawjson.Parse(r.Get("tokens"))
	if err != nil || tokens.Len() == 0 {
		return out.JSON()
	}
	var roles []string
	for role := range tokens.All() {
		roles = append(roles, role)
	}
	slices.Sort(roles)
	list := []rawjson.Value{}
	for _, role := range roles {
		if t, ok := r.token(role); ok {
			list = append(list, t.shown())
		}
	}
	out.Put("tokens", list)
	return out.JSON()
}

// shown is a token without its secret. Only fields that we know go out: one
// that we do not might hold another secret.
func (t token) shown() rawjson.Value {
	var out rawjson.Object
	for _, name := range []string{"role", "scopes", "createdAtMs", "rotatedAtMs", "revokedAtMs", "lastUsedAtMs"} {
		if t.Has(name) {
			out.Set(name, t.Get(name))
		}
	}
	return out.JSON()
}
