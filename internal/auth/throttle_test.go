package auth

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyd/parley/internal/config"
)

func at(addr string) Place {
	a := netip.MustParseAddr(addr)
	return Place{Peer: a, Addr: a, Local: a.IsLoopback()}
}

func limit(n int, exempt bool) *config.RateLimit {
	return &config.RateLimit{MaxAttempts: n, Window: time.Minute, Lockout: 5 * time.Minute, ExemptLoopback: exempt}
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bucket{{newLimiter(*limit(3, false)), countKey{}}}
		fails := func(n int) {
			for range n {
				b.fail()
			}
		}
		check := func(when string, want time.Duration) {
			t.Helper()
			if got := b.locked(); got != want {
				t.Errorf("%s: locked for %v, want %v", when, got, want)
			}
		}
		fails(2)
		check("below the limit", 0)
		time.Sleep(time.Minute)
		fails(2)
		check("the window slid on", 0)
		time.Sleep(59 * time.Second)
		fails(1)
		check("third within a window", 5*time.Minute)
		time.Sleep(time.Minute)
		fails(5)
		check("failures do not make it longer", 4*time.Minute)
		time.Sleep(4 * time.Minute)
		check("over", 0)
		fails(2)
		check("the count starts at zero", 0)
		b.clear()
		fails(2)
		check("a success clears the count", 0)
		fails(1)
		check("locked again", 5*time.Minute)
	})
}

// Many addresses must not fill memory, and old counts must go.
func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(*limit(3, false))
		for i := range maxCounts + 10 {
			l.fail(countKey{place: fmt.Sprint(i)})
		}
		if n := len(l.counts); n > maxCounts {
			t.Errorf("%d counts are kept", n)
		}
		time.Sleep(2 * time.Minute)
		l.fail(countKey{place: "new"})
		if n := len(l.counts); n != 1 {
			t.Errorf("%d counts are kept two minutes later, want 1", n)
		}
	})
}

// Who shares a count with whom, and who has none.
func TestThrottleBuckets(t *testing.T) {
	unknown := Place{Peer: netip.MustParseAddr("127.0.0.1")}
	unknownRemote := Place{Peer: netip.MustParseAddr("10.0.0.1")}
	for name, tc := range map[string]struct {
		configured *config.RateLimit
		loopback   bool
		place      Place
		origin     string
		want       string // name of the count, "" for none
	}{
		"Parley: loopback":                    {loopback: true, place: at("127.0.0.1"), want: "plain 127.0.0.1"},
		"Parley: loopback page":               {loopback: true, place: at("::1"), origin: "http://localhost:1", want: "browser http://localhost:1"},
		"Parley: remote":                      {loopback: true, place: at("203.0.113.9"), want: "plain 203.0.113.9"},
		"Parley: remote page":                 {loopback: true, place: at("203.0.113.9"), origin: "https://x", want: "browser 203.0.113.9"},
		"Parley: unknown":                     {loopback: true, place: unknown, want: "plain unknown"},
		"reference: loopback":                 {place: at("127.0.0.1"), want: ""},
		"reference: loopback page":            {place: at("::1"), origin: "http://localhost:1", want: "browser loopback"},
		"reference: unknown behind loopback":  {place: unknown, want: ""},
		"remote is throttled in any case":     {place: at("203.0.113.9"), want: "plain 203.0.113.9"},
		"unknown behind a remote proxy":       {place: unknownRemote, want: "plain unknown"},
		"configured: loopback":                {configured: limit(3, false), place: at("127.0.0.1"), want: "plain 127.0.0.1"},
		"configured: loopback exempt":         {configured: limit(3, true), loopback: true, place: at("127.0.0.1"), want: ""},
		"configured: page is never exempt":    {configured: limit(3, true), place: at("127.0.0.1"), origin: "http://localhost:1", want: "browser loopback"},
		"configured: exempt means loopback":   {configured: limit(3, true), place: at("203.0.113.9"), want: "plain 203.0.113.9"},
		"configured: unknown is not loopback": {configured: limit(3, true), place: unknown, want: "plain unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			th := newThrottle(tc.configured, tc.loopback)
			b := th.bucket(sharedSecret, tc.place, tc.origin)
			got := ""
			if len(b) > 0 {
				got = map[*limiter]string{th.plain: "plain ", th.browser: "browser "}[b[0].l] + b[0].key.place
			}
			if got != tc.want {
				t.Errorf("counted in %q, want %q", got, tc.want)
			}
		})
	}
}

// A program on this machine can claim a new Origin for each guess.
func TestAllPagesTogetherAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(nil, true)
		page := func(i int) bucket {
			return th.bucket(sharedSecret, at("127.0.0.1"), fmt.Sprintf("http://localhost:%d", i))
		}
		for i := range 10 {
			page(1).fail()
			if locked := page(2).locked() > 0; locked {
				t.Fatalf("failure %d of one page locks out another", i+1)
			}
		}
		if page(1).locked() == 0 {
			t.Error("ten failures do not lock the page out")
		}
		for i := range 90 {
			page(100 + i).fail()
		}
		if page(5000).locked() == 0 {
			t.Error("a hundred failures of many pages do not lock the next one out")
		}
		if th.bucket(sharedSecret, at("127.0.0.1"), "").locked() > 0 {
			t.Error("pages lock the command line out")
		}
		if th.bucket(deviceToken, at("127.0.0.1"), "http://localhost:1").locked() > 0 {
			t.Error("wrong shared secrets lock device tokens")
		}
	})
}
