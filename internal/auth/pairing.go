package auth

import (
	"slices"
	"strings"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// Resolution is the end of a pairing request, as device.pair.resolved tells it.
type Resolution struct {
	RequestID string `json:"requestId"`
	DeviceID  string `json:"deviceId"`
	Decision  string `json:"decision"` // approved or rejected
	TS        int64  `json:"ts"`
}

// find is the live request with this id.
func (s *state) find(requestID string) (request, error) {
	o, err := rawjson.Parse(s.pending.Get(requestID))
	if err != nil || (request{o}).expired(s.now) {
		return request{}, protocol.Invalidf("unknown requestId")
	}
	return request{o}, nil
}

// List gives the waiting requests, newest first, and the paired devices, last
// approved first, as clients see them.
func (d *Devices) List() (pending, paired []rawjson.Value, err error) {
	err = d.view(func(s *state) {
		for _, r := range s.requests() {
			pending = append(pending, r.JSON())
		}
		var records []record
		for id := range s.paired.All() {
			if r, ok := s.device(id); ok {
				records = append(records, r)
			}
		}
		slices.SortStableFunc(records, func(a, b record) int { return compareTimes(b.Get("approvedAtMs"), a.Get("approvedAtMs")) })
		for _, r := range records {
			paired = append(paired, r.shown())
		}
	})
	return pending, paired, err
}

// Approve lets the device of a request in from now on. An approver can give
// only operator scopes that it has. It returns the record as clients see it.
func (d *Devices) Approve(requestID string, approver []string) (device rawjson.Value, done Resolution, err error) {
	err = d.update(func(s *state) error {
		q, err := s.find(requestID)
		if err != nil {
			return err
		}
		asked, _ := texts(q.Get("scopes"))
		if missing := MissingScope(protocol.RoleOperator, operatorScopes(NormalizeScopes(asked)), approver); missing != "" {
			return protocol.Invalidf("missing scope: %s", missing)
		}
		s.approve(q)
		r, _ := s.device(q.Text("deviceId"))
		device = r.shown()
		done = Resolution{requestID, q.Text("deviceId"), "approved", s.now}
		return nil
	})
	return device, done, err
}

func operatorScopes(scopes []string) []string {
	return slices.DeleteFunc(scopes, func(s string) bool { return !strings.HasPrefix(s, operatorPrefix) })
}

// Reject forgets a request.
func (d *Devices) Reject(requestID string) (done Resolution, err error) {
	err = d.update(func(s *state) error {
		q, err := s.find(requestID)
		if err != nil {
			return err
		}
		s.pending.Delete(requestID)
		s.pendingChanged = true
		done = Resolution{requestID, q.Text("deviceId"), "rejected", s.now}
		return nil
	})
	return done, err
}

// Remove forgets a paired device and its tokens.
func (d *Devices) Remove(deviceID string) (id string, err error) {
	id = jstext.Trim(deviceID)
	err = d.update(func(s *state) error {
		if !s.paired.Has(id) {
			return protocol.Invalidf("unknown deviceId")
		}
		s.paired.Delete(id)
		s.pairedChanged = true
		return nil
	})
	if err == nil {
		d.ended(id)
	}
	return id, err
}

// approve turns a request into a record with a new token for its role.
func (s *state) approve(q request) {
	id := q.Text("deviceId")
	r, existed := s.device(id)
	granted, _ := r.approved()
	asked, _ := texts(q.Get("scopes"))
	roles, _ := texts(q.Get("roles"))
	r.Put("deviceId", id)
	for _, name := range []string{"publicKey", "displayName", "platform", "deviceFamily", "clientId", "clientMode"} {
		put(&r.Object, name, q.Text(name))
	}
	role := q.Text("role")
	var had []string
	if existed {
		had = r.roles()
	}
	r.Put("role", role)
	r.Put("roles", union(had, roles, []string{role}))
	if scopes := union(granted, asked); len(scopes) > 0 {
		r.Put("scopes", scopes)
		r.Put("approvedScopes", scopes)
	}
	put(&r.Object, "remoteIp", q.Text("remoteIp"))
	t, _ := r.token(role)
	if len(asked) == 0 {
		if asked = t.scopes(); t.Len() == 0 {
			asked = granted
		}
	}
	r.setToken(role, t.renew(role, asked, s.now))
	if millis(r.Get("createdAtMs")) == 0 {
		r.Put("createdAtMs", s.now)
	}
	r.Put("approvedAtMs", s.now)
	r.arrange()
	s.setDevice(id, r)
	s.pairedChanged = true
	s.pending.Delete(q.Text("requestId"))
	s.pendingChanged = true
}
