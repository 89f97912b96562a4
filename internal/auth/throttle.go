package auth

import (
	"sync"
	"time"

	"github.com/parleyd/parley/internal/config"
)

// pruneEvery is how often counts that no longer matter are forgotten, and
// maxCounts how many may be kept at most: a stranger with many addresses must
// not fill our memory.
const (
	pruneEvery = 60 * time.Second
	maxCounts  = 1 << 16
)

// kind is what failed; the kinds are counted apart.
type kind uint8

const (
	sharedSecret kind = iota
	deviceToken
)

// pagesFactor is how many times more failures all pages of this machine
// together may have than one of them: a program can claim any Origin.
const pagesFactor = 10

// throttle counts failed credentials per client address and locks out those
// who fail too often (spec: protocol 9, with parley.throttleLoopback).
type throttle struct {
	loopback   bool // count loopback like any address, per Origin
	configured *config.RateLimit
	plain      *limiter // requests without Origin
	browser    *limiter // requests with one
	pages      *limiter // all pages of this machine together
}

func newThrottle(r *config.RateLimit, loopback bool) *throttle {
	limit := config.DefaultRateLimit()
	if r != nil {
		limit = *r
	}
	all := limit
	all.MaxAttempts *= pagesFactor
	return &throttle{
		loopback: loopback, configured: r,
		plain: newLimiter(limit), browser: newLimiter(limit), pages: newLimiter(all),
	}
}

// like reports whether the throttle is what newThrottle would make of these.
func (t *throttle) like(r *config.RateLimit, loopback bool) bool {
	if r == nil || t.configured == nil {
		return r == t.configured && loopback == t.loopback
	}
	return *r == *t.configured && loopback == t.loopback
}

// strict reports whether failures from this place count whatever credentials
// come with them. Where they do not, a wrong secret next to a device token
// counts as a wrong device token only, as OpenClaw has it.
func (t *throttle) strict(p Place) bool { return t.loopback || !p.onLoopback() }

// bucket is what the failures of a kind from a place are counted in; it is
// empty where they are not.
func (t *throttle) bucket(k kind, p Place, origin string) bucket {
	switch {
	case origin == "" && t.exempt(p):
		return nil
	case origin == "":
		return bucket{{t.plain, countKey{k, addrKey(p)}}}
	case !p.Addr.IsLoopback():
		return bucket{{t.browser, countKey{k, addrKey(p)}}}
	case t.loopback:
		// All pages on this machine share an address. One of them with a stale
		// secret must not lock out the others.
		return bucket{{t.browser, countKey{k, origin}}, {t.pages, countKey{k, ""}}}
	}
	return bucket{{t.browser, countKey{k, "loopback"}}}
}

// exempt reports whether failures without Origin are not counted here.
func (t *throttle) exempt(p Place) bool {
	if t.configured != nil {
		return t.configured.ExemptLoopback && p.Addr.IsLoopback()
	}
	return !t.strict(p)
}

func addrKey(p Place) string {
	if !p.Addr.IsValid() {
		return "unknown"
	}
	return p.Addr.String()
}

// bucket is the counts that a failure goes into.
type bucket []struct {
	l   *limiter
	key countKey
}

type countKey struct {
	kind  kind
	place string
}

// locked is how long credentials are still refused, 0 when they are not.
func (b bucket) locked() (left time.Duration) {
	for _, c := range b {
		left = max(left, c.l.locked(c.key))
	}
	return left
}

// fail counts a failure.
func (b bucket) fail() {
	for _, c := range b {
		c.l.fail(c.key)
	}
}

// clear forgets all failures after a success.
func (b bucket) clear() {
	for _, c := range b {
		c.l.clear(c.key)
	}
}

// limiter locks a key after too many failures within a sliding window.
type limiter struct {
	limit config.RateLimit

	mu     sync.Mutex // guards all below
	counts map[countKey]*failures
	pruned time.Time
}

// failures of one key. While it is locked nothing is added, so that trying on
// does not make the lock longer; after the lock the count starts at zero.
type failures struct {
	at     []time.Time
	locked time.Time // until when; zero when it never was
}

func newLimiter(limit config.RateLimit) *limiter {
	return &limiter{limit: limit, counts: map[countKey]*failures{}, pruned: time.Now()}
}

func (l *limiter) locked(key countKey) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.counts[key]
	if f == nil {
		return 0
	}
	return max(0, time.Until(f.locked))
}

func (l *limiter) fail(key countKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.prune(now)
	f := l.counts[key]
	if f == nil {
		f = &failures{}
		l.counts[key] = f
	}
	if now.Before(f.locked) {
		return
	}
	f.slide(now, l.limit.Window)
	if f.at = append(f.at, now); len(f.at) >= l.limit.MaxAttempts {
		f.at, f.locked = nil, now.Add(l.limit.Lockout)
	}
}

func (l *limiter) clear(key countKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.counts, key)
}

// slide drops failures that are older than the window.
func (f *failures) slide(now time.Time, window time.Duration) {
	for len(f.at) > 0 && now.Sub(f.at[0]) >= window {
		f.at = f.at[1:]
	}
}

// prune forgets counts that say nothing any more; where too many are left,
// arbitrary ones go, half of them so that this is rare.
func (l *limiter) prune(now time.Time) {
	full := len(l.counts) >= maxCounts
	if now.Sub(l.pruned) < pruneEvery && !full {
		return
	}
	l.pruned = now
	for key, f := range l.counts {
		f.slide(now, l.limit.Window)
		if len(f.at) == 0 && !now.Before(f.locked) || full && len(l.counts) > maxCounts/2 {
			delete(l.counts, key)
		}
	}
}
