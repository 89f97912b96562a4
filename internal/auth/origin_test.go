package auth

import (
	"net/http"
	"testing"

	"github.com/parleyd/parley/internal/config"
)

func TestJudgeOrigin(t *testing.T) {
	listed := config.ControlUI{AllowedOrigins: []string{"https://ui.example"}}
	hostOK := config.ControlUI{HostHeaderOriginAllows: true}
	for _, tc := range []struct {
		ui           config.ControlUI
		origin, host string
		local        bool
		want         string
	}{
		{listed, "", "", true, originInvalid},
		{listed, "null", "", true, originInvalid},
		{listed, " null ", "", true, originInvalid},
		{listed, "localhost", "", true, originInvalid},
		{listed, "http://", "", true, originInvalid},
		{listed, "://x", "", true, originInvalid},
		{listed, "http://localhost:99999", "", true, originInvalid},
		{listed, "http://localhost:http", "", true, originInvalid},
		{listed, "file://", "", true, originNotAllowed},
		{config.ControlUI{HostHeaderOriginAllows: true}, "file://", "", true, originNotAllowed},
		{config.ControlUI{AllowedOrigins: []string{"*"}}, "file://", "", false, ""},

		{listed, "https://ui.example", "", false, ""},
		{listed, "https://UI.example", "", false, ""},
		{listed, "https://ui.example:443", "", false, ""},
		{listed, "https://ui.example:0443", "", false, ""},
		{listed, "https://ui.example:8443", "", false, originNotAllowed},
		{listed, "http://ui.example", "", false, originNotAllowed},
		{listed, "https://ui.example.evil.test", "", false, originNotAllowed},
		{listed, "https://evil.test/https://ui.example", "", false, originNotAllowed},
		{listed, "https://ui.example@evil.test", "", false, originNotAllowed},
		{listed, "https://xui.example", "", false, originNotAllowed},
		{listed, "https://ui.example.", "", false, originNotAllowed},
		{config.ControlUI{AllowedOrigins: []string{"*"}}, "https://anything.test", "", false, ""},
		{config.ControlUI{AllowedOrigins: []string{"*"}}, "null", "", false, originInvalid},

		{listed, "http://localhost:5173", "", true, ""},
		{listed, "http://LOCALHOST", "", true, ""},
		{listed, "http://127.0.0.1:9", "", true, ""},
		{listed, "http://127.9.9.9", "", true, ""},
		{listed, "http://[::1]:9", "", true, ""},
		{listed, "http://[0:0:0:0:0:0:0:1]", "", true, ""},
		{listed, "http://[::ffff:127.0.0.1]", "", true, ""},
		{listed, "http://[::ffff:7f00:1]:9", "", true, ""},
		{listed, "http://localhost:5173", "", false, originNotAllowed},
		{listed, "http://localhost.evil.test", "", true, originNotAllowed},
		{listed, "http://localhost@evil.test", "", true, originNotAllowed},
		{listed, "http://localhost:80@evil.test", "", true, originNotAllowed},
		{listed, "http://evil.test#localhost", "", true, originNotAllowed},
		{listed, "http://evil.test?http://localhost", "", true, originNotAllowed},
		{listed, "http://127.0.0.1.evil.test", "", true, originNotAllowed},
		{listed, "http://0.0.0.0", "", true, originNotAllowed},
		{listed, "http://[::ffff:10.0.0.1]", "", true, originNotAllowed},
		{listed, "http://localhost.", "", true, originNotAllowed},
		{listed, "http://10.0.0.1", "", true, originNotAllowed},
		{listed, `http://evil.test\@localhost`, "", true, originInvalid},
		{listed, `http://localhost\.evil.test`, "", true, originInvalid},

		{hostOK, "http://gw.example:18789", "GW.example:18789", false, ""},
		{hostOK, "http://gw.example", "gw.example", false, ""},
		{hostOK, "http://gw.example:1", "gw.example:2", false, originNotAllowed},
		{hostOK, "http://gw.example", "", false, originNotAllowed},
		{listed, "http://gw.example", "gw.example", false, originNotAllowed},
		{hostOK, "http://[::1]:5", "[::1]:5", false, ""},
	} {
		if got := judgeOrigin(tc.ui, tc.origin, tc.host, tc.local); got != tc.want {
			t.Errorf("%q (host %q, local %v): %q, want %q", tc.origin, tc.host, tc.local, got, tc.want)
		}
	}
}

func TestOriginHeader(t *testing.T) {
	for _, tc := range []struct {
		values []string
		want   string
	}{
		{nil, ""},
		{[]string{"  "}, ""},
		{[]string{" http://localhost "}, "http://localhost"},
		{[]string{"http://localhost", "http://evil.test"}, "http://localhost, http://evil.test"},
	} {
		got := Origin(http.Header{"Origin": tc.values})
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.values, got, tc.want)
		}
		if len(tc.values) > 1 && judgeOrigin(config.ControlUI{}, got, "", true) != originInvalid {
			t.Errorf("%q is allowed", got)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"http://localhost", "null", "http://[::1]:9", "https://ui.example:443", `http://a\@b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := parseOrigin(text)
		if !ok {
			return
		}
		again, ok := parseOrigin(o.text())
		if ok && again != o {
			t.Errorf("%q reads as %+v, its own text %q as %+v", text, o, o.text(), again)
		}
	})
}
