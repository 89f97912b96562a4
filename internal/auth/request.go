package auth

import (
	"slices"

	"github.com/google/uuid"

	"github.com/parleyd/parley/internal/rawjson"
)

// requestLife is how long a request waits for approval, in milliseconds.
const requestLife = 300_000

// request is a device that waits for approval, as pending.json has it.
type request struct{ rawjson.Object }

func (r request) expired(now int64) bool { return now-millis(r.Get("ts")) > requestLife }

// dropExpired forgets requests that nobody approved in time.
func (s *state) dropExpired() {
	for id, raw := range s.pending.Clone().All() {
		if o, err := rawjson.Parse(raw); err == nil && (request{o}).expired(s.now) {
			s.pending.Delete(id)
		}
	}
}

// requests are the live requests, newest first.
func (s *state) requests() []request {
	var list []request
	for _, raw := range s.pending.All() {
		if o, err := rawjson.Parse(raw); err == nil && !(request{o}).expired(s.now) {
			list = append(list, request{o})
		}
	}
	slices.SortStableFunc(list, func(a, b request) int { return compareTimes(b.Get("ts"), a.Get("ts")) })
	return list
}

func compareTimes(a, b rawjson.Value) int {
	switch x, y := millis(a), millis(b); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// request asks for the approval of a visitor: it refreshes the device's
// request when that asks for the same, else puts one in its place that asks
// for both. A request is silent only while all that it stands for was.
func (s *state) request(v Visitor, silent bool) (r request, isNew bool) {
	var old []request
	for _, p := range s.requests() {
		if p.Text("deviceId") == v.DeviceID {
			old = append(old, p)
			wasSilent, _ := rawjson.Bool(p.Get("silent"))
			silent = silent && wasSilent
		}
	}
	_, paired := s.device(v.DeviceID)
	if len(old) == 1 && old[0].asksFor(v) {
		r = request{old[0].Clone()}
		r.fill(v, true)
	} else {
		r = newRequest(v, old)
		for _, p := range old {
			s.pending.Delete(p.Text("requestId"))
		}
		isNew = true
	}
	wasRepair, _ := rawjson.Bool(r.Get("isRepair"))
	r.Put("silent", silent)
	r.Put("isRepair", paired || wasRepair)
	r.Put("ts", s.now)
	s.pending.Set(r.Text("requestId"), r.JSON())
	s.pendingChanged = true
	return r, isNew
}

// asksFor reports whether the request stands for just this visitor.
func (r request) asksFor(v Visitor) bool {
	roles, _ := texts(r.Get("roles"))
	scopes, _ := texts(r.Get("scopes"))
	return r.Text("publicKey") == v.PublicKey && r.Text("role") == v.Role &&
		sameSet(union(roles, []string{r.Text("role")}), []string{v.Role}) &&
		slices.Equal(NormalizeScopes(scopes), NormalizeScopes(v.Scopes))
}

// newRequest is a request for a visitor that takes the place of old ones.
func newRequest(v Visitor, old []request) request {
	r := request{}
	r.Put("requestId", uuid.NewString())
	r.Put("deviceId", v.DeviceID)
	r.fill(v, false)
	var roles, scopes []string
	for _, p := range old {
		pr, _ := texts(p.Get("roles"))
		ps, _ := texts(p.Get("scopes"))
		roles, scopes = union(roles, pr, []string{p.Text("role")}), union(scopes, ps)
	}
	r.Put("role", v.Role)
	r.Put("roles", union(roles, []string{v.Role}))
	if scopes = union(scopes, v.Scopes); len(scopes) > 0 {
		r.Put("scopes", scopes)
	}
	put(&r.Object, "remoteIp", v.RemoteIP)
	return r
}

// fill puts the visitor's key and metadata into the request. Refreshing keeps
// what the visitor does not say.
func (r *request) fill(v Visitor, refresh bool) {
	r.Put("publicKey", v.PublicKey)
	for _, f := range []struct{ name, text string }{
		{"displayName", v.Client.DisplayName}, {"platform", v.Client.Platform}, {"deviceFamily", v.Client.DeviceFamily},
		{"clientId", v.Client.ID}, {"clientMode", v.Client.Mode},
	} {
		if f.text != "" {
			r.Put(f.name, f.text)
		}
	}
	if refresh && v.RemoteIP != "" {
		r.Put("remoteIp", v.RemoteIP)
	}
}
