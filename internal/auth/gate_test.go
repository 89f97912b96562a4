package auth

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

const secretText = "correct horse"

// creds makes credentials of "token=…", "password=…", "deviceToken=…" and
// "bootstrapToken=…".
func creds(pairs ...string) *protocol.Credentials {
	c := &protocol.Credentials{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		*map[string]**string{
			"token": &c.Token, "password": &c.Password, "deviceToken": &c.DeviceToken, "bootstrapToken": &c.BootstrapToken,
		}[name] = &value
	}
	return c
}

func tokenMode() config.Gateway {
	return config.Gateway{Auth: config.Auth{Mode: config.AuthToken, Token: config.NewSecret(secretText)}}
}

func passwordMode() config.Gateway {
	return config.Gateway{Auth: config.Auth{Mode: config.AuthPassword, Password: config.NewSecret(secretText)}}
}

func proxyMode() config.Gateway {
	return config.Gateway{
		TrustedProxies: prefixes("127.0.0.1/32"),
		Auth: config.Auth{Mode: config.AuthTrustedProxy, TrustedProxy: &config.TrustedProxy{
			UserHeader: "X-User", RequiredHeaders: []string{"x-Proxy"}, AllowUsers: []string{"ann"},
		}},
	}
}

func newGate(t *testing.T, c config.Gateway, throttleLoopback bool) *Gate {
	t.Helper()
	return NewGate(c, throttleLoopback, openDevices(t, t.TempDir()))
}

func TestSharedSecret(t *testing.T) {
	ok := func(m Method) Verdict { return Verdict{OK: true, Method: m} }
	for name, tc := range map[string]struct {
		config config.Gateway
		creds  *protocol.Credentials
		want   Verdict
	}{
		"token":                       {tokenMode(), creds("token=" + secretText), ok(ByToken)},
		"token with space around it":  {tokenMode(), creds("token= " + secretText + "\n"), ok(ByToken)},
		"no credentials":              {tokenMode(), nil, refused(TokenMissing)},
		"blank token":                 {tokenMode(), creds("token=  "), refused(TokenMissing)},
		"wrong token":                 {tokenMode(), creds("token=bad"), refused(TokenMismatch)},
		"token in other case":         {tokenMode(), creds("token=" + strings.ToUpper(secretText)), refused(TokenMismatch)},
		"beginning of the token":      {tokenMode(), creds("token=" + secretText[:5]), refused(TokenMismatch)},
		"right token as password":     {tokenMode(), creds("password=" + secretText), refused(TokenMissing)},
		"right token as device token": {tokenMode(), creds("deviceToken=" + secretText), refused(TokenMissing)},
		"token and wrong password":    {tokenMode(), creds("token="+secretText, "password=bad"), ok(ByToken)},
		"no token configured":         {config.Gateway{Auth: config.Auth{Mode: config.AuthToken}}, creds("token="), refused(TokenNotConfigured)},
		"password":                    {passwordMode(), creds("password=" + secretText), ok(ByPassword)},
		"no password":                 {passwordMode(), creds("token=" + secretText), refused(PasswordMissing)},
		"wrong password":              {passwordMode(), creds("password=bad"), refused(PasswordMismatch)},
		"no password configured":      {config.Gateway{Auth: config.Auth{Mode: config.AuthPassword}}, creds("password=x"), refused(PasswordNotConfigured)},
		"none":                        {config.Gateway{Auth: config.Auth{Mode: config.AuthNone}}, creds("token=anything"), ok(ByNothing)},
	} {
		t.Run(name, func(t *testing.T) {
			got := newGate(t, tc.config, true).Shared(Attempt{Place: at("127.0.0.1"), Credentials: tc.creds})
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("verdict (-want +got):\n%s", d)
			}
		})
	}
}

func TestTrustedProxy(t *testing.T) {
	anyUser := proxyMode()
	anyUser.Auth.TrustedProxy = &config.TrustedProxy{UserHeader: "X-User"}
	for name, tc := range map[string]struct {
		config config.Gateway
		peer   string
		pairs  []string
		want   Reason // "" when allowed
	}{
		"allowed":              {proxyMode(), "127.0.0.1", []string{"X-User", " ann ", "X-Proxy", "1"}, ""},
		"other source":         {proxyMode(), "203.0.113.9", []string{"X-User", "ann", "X-Proxy", "1"}, proxyUntrusted},
		"no required header":   {proxyMode(), "127.0.0.1", []string{"X-User", "ann"}, "trusted_proxy_missing_header_x-Proxy"},
		"blank header":         {proxyMode(), "127.0.0.1", []string{"X-User", "ann", "X-Proxy", " "}, "trusted_proxy_missing_header_x-Proxy"},
		"no user":              {proxyMode(), "127.0.0.1", []string{"X-Proxy", "1"}, proxyNoUser},
		"blank user":           {proxyMode(), "127.0.0.1", []string{"X-Proxy", "1", "X-User", "\t"}, proxyNoUser},
		"other user":           {proxyMode(), "127.0.0.1", []string{"X-Proxy", "1", "X-User", "eve"}, proxyWrongUser},
		"user in other case":   {proxyMode(), "127.0.0.1", []string{"X-Proxy", "1", "X-User", "Ann"}, proxyWrongUser},
		"user sent twice":      {proxyMode(), "127.0.0.1", []string{"X-Proxy", "1", "X-User", "ann", "X-User", "eve"}, proxyWrongUser},
		"any user":             {anyUser, "127.0.0.1", []string{"X-User", "eve"}, ""},
		"nothing configured":   {config.Gateway{Auth: config.Auth{Mode: config.AuthTrustedProxy}}, "127.0.0.1", nil, proxyNotConfigured},
		"secrets play no role": {proxyMode(), "127.0.0.1", []string{"X-User", "eve", "X-Proxy", "1"}, proxyWrongUser},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, tc.config, true)
			h := header(tc.pairs...)
			got := g.Shared(Attempt{Place: g.Place(at(tc.peer).Peer, "x", h), Header: h, Credentials: creds("token=x")})
			if got.OK != (tc.want == "") || got.Reason != tc.want {
				t.Errorf("verdict %+v, want reason %q", got, tc.want)
			}
		})
	}
}

func TestRefuseWords(t *testing.T) {
	cli := protocol.Client{ID: "cli", Mode: "cli"}
	ui := protocol.Client{ID: "openclaw-control-ui", Mode: "ui"}
	webchat := protocol.Client{ID: "test", Mode: "webchat"}
	other := protocol.Client{ID: "gateway-client", Mode: "backend"}
	for _, tc := range []struct {
		reason        Reason
		client        protocol.Client
		retry         bool
		message, code string
		next          string
	}{
		{TokenMissing, cli, false, "unauthorized: gateway token missing (set gateway.remote.token to match gateway.auth.token)", "AUTH_TOKEN_MISSING", "update_auth_configuration"},
		{TokenMissing, other, false, "unauthorized: gateway token missing (provide gateway auth token)", "AUTH_TOKEN_MISSING", "update_auth_configuration"},
		{TokenMismatch, ui, true, "unauthorized: gateway token mismatch (open the dashboard URL and paste the token in Control UI settings)", "AUTH_TOKEN_MISMATCH", "retry_with_device_token"},
		{TokenMismatch, webchat, false, "unauthorized: gateway token mismatch (open the dashboard URL and paste the token in Control UI settings)", "AUTH_TOKEN_MISMATCH", "update_auth_credentials"},
		{PasswordMissing, cli, false, "unauthorized: gateway password missing (set gateway.remote.password to match gateway.auth.password)", "AUTH_PASSWORD_MISSING", "update_auth_configuration"},
		{PasswordMismatch, ui, false, "unauthorized: gateway password mismatch (enter the password in Control UI settings)", "AUTH_PASSWORD_MISMATCH", "update_auth_credentials"},
		{PasswordMismatch, other, false, "unauthorized: gateway password mismatch (provide gateway auth password)", "AUTH_PASSWORD_MISMATCH", "update_auth_credentials"},
		{TokenNotConfigured, cli, false, "unauthorized: gateway token not configured on gateway (set gateway.auth.token)", "AUTH_TOKEN_NOT_CONFIGURED", "update_auth_configuration"},
		{PasswordNotConfigured, cli, false, "unauthorized: gateway password not configured on gateway (set gateway.auth.password)", "AUTH_PASSWORD_NOT_CONFIGURED", "update_auth_configuration"},
		{DeviceTokenMismatch, cli, false, "unauthorized: device token mismatch (rotate/reissue device token)", "AUTH_DEVICE_TOKEN_MISMATCH", "update_auth_credentials"},
		{BootstrapTokenInvalid, cli, false, "unauthorized: bootstrap token invalid or expired (scan a fresh setup code)", "AUTH_BOOTSTRAP_TOKEN_INVALID", "review_auth_configuration"},
		{RateLimited, cli, false, "unauthorized: too many failed authentication attempts (retry later)", "AUTH_RATE_LIMITED", "wait_then_retry"},
		{proxyWrongUser, cli, false, "unauthorized", "AUTH_UNAUTHORIZED", "review_auth_configuration"},
	} {
		details := fmt.Sprintf(`{"code":%q,"authReason":%q,"canRetryWithDeviceToken":%v,"recommendedNextStep":%q}`, tc.code, tc.reason, tc.retry, tc.next)
		want := &protocol.Error{Code: protocol.InvalidRequest, Message: tc.message, Details: rawjson.Value(details)}
		if d := cmp.Diff(want, Refuse(tc.reason, tc.client, tc.retry)); d != "" {
			t.Errorf("%s, %s (-want +got):\n%s", tc.reason, tc.client.ID, d)
		}
	}
}

// try is one whole attempt of a device, as the handshake makes it.
func try(t *testing.T, g *Gate, a Attempt, c Claim) string {
	t.Helper()
	v, err := g.Device(a, c, g.Shared(a))
	if err != nil {
		t.Fatal(err)
	}
	if v.OK {
		return "ok " + string(v.Method)
	}
	return string(v.Reason)
}

func TestDeviceTokenAsCredential(t *testing.T) {
	g := newGate(t, tokenMode(), false)
	v := visitor("d1", "operator.read", "operator.write")
	dt := admitted(t, g.devices, v).Token.DeviceToken
	read := Claim{DeviceID: v.DeviceID, Role: "operator", Scopes: []string{"operator.read"}}
	admin := Claim{DeviceID: v.DeviceID, Role: "operator", Scopes: []string{"operator.admin"}}
	node := Claim{DeviceID: v.DeviceID, Role: "node"}
	other := Claim{DeviceID: "d2", Role: "operator"}
	for name, tc := range map[string]struct {
		creds *protocol.Credentials
		claim Claim
		want  string
	}{
		"explicit":                    {creds("deviceToken=" + dt), read, "ok device-token"},
		"as token":                    {creds("token= " + dt + " "), read, "ok device-token"},
		"as token and deviceToken":    {creds("token="+dt, "deviceToken="+dt), read, "ok device-token"},
		"shared token goes first":     {creds("token="+secretText, "deviceToken=bad"), read, "ok token"},
		"explicit wrong":              {creds("deviceToken=bad"), read, "device_token_mismatch"},
		"explicit wrong, token wrong": {creds("token=bad", "deviceToken=bad"), read, "device_token_mismatch"},
		"token wrong":                 {creds("token=bad"), read, "token_mismatch"},
		"as token, too many scopes":   {creds("token=" + dt), admin, "token_mismatch"},
		"explicit, too many scopes":   {creds("deviceToken=" + dt), admin, "device_token_mismatch"},
		"explicit, other role":        {creds("deviceToken=" + dt), node, "device_token_mismatch"},
		"explicit, other device":      {creds("deviceToken=" + dt), other, "device_token_mismatch"},
		"bootstrap wrong":             {creds("bootstrapToken=bad"), read, "bootstrap_token_invalid"},
		"bootstrap wrong, token":      {creds("bootstrapToken=bad", "token=bad"), read, "bootstrap_token_invalid"},
		"bootstrap wrong, device":     {creds("bootstrapToken=bad", "deviceToken="+dt), read, "ok device-token"},
		"nothing":                     {nil, read, "token_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Attempt{Place: at("127.0.0.1"), Credentials: tc.creds, Device: true}
			if got := try(t, g, a, tc.claim); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Where loopback is throttled too, nothing that a client adds to a wrong
// secret keeps it from counting, and the lock holds for the right one.
func TestWrongSecretsCountWhateverComesWithThem(t *testing.T) {
	claim := Claim{DeviceID: "d1", Role: "operator"}
	for name, tc := range map[string]struct {
		config config.Gateway
		bad    *protocol.Credentials
		good   *protocol.Credentials
		device bool
	}{
		"alone":                       {tokenMode(), creds("token=bad"), creds("token=" + secretText), false},
		"with a device":               {tokenMode(), creds("token=bad"), creds("token=" + secretText), true},
		"with a device token":         {tokenMode(), creds("token=bad", "deviceToken=bad"), creds("token="+secretText, "deviceToken=bad"), true},
		"with a bootstrap token":      {tokenMode(), creds("token=bad", "bootstrapToken=bad"), creds("token="+secretText, "bootstrapToken=bad"), true},
		"password":                    {passwordMode(), creds("password=bad"), creds("password=" + secretText), true},
		"password with a token":       {passwordMode(), creds("password=bad", "token=x"), creds("password="+secretText, "token=x"), true},
		"password, device, bootstrap": {passwordMode(), creds("password=bad", "token=x", "bootstrapToken=y"), creds("password="+secretText, "token=x"), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, tc.config, true)
				p := at("127.0.0.1")
				for i := range 10 {
					if got := try(t, g, Attempt{Place: p, Credentials: tc.bad, Device: tc.device}, claim); got == string(RateLimited) || strings.HasPrefix(got, "ok") {
						t.Fatalf("attempt %d: %s", i+1, got)
					}
				}
				if got := try(t, g, Attempt{Place: p, Credentials: tc.good, Device: tc.device}, claim); got != string(RateLimited) {
					t.Errorf("the right secret while locked: %s", got)
				}
				if got := try(t, g, Attempt{Place: at("127.0.0.2"), Credentials: tc.good, Device: tc.device}, claim); !strings.HasPrefix(got, "ok") {
					t.Errorf("the right secret from elsewhere: %s", got)
				}
				time.Sleep(5*time.Minute + time.Second)
				if got := try(t, g, Attempt{Place: p, Credentials: tc.good, Device: tc.device}, claim); !strings.HasPrefix(got, "ok") {
					t.Errorf("the right secret after the lock: %s", got)
				}
			})
		})
	}
}

// The lock of device tokens must not open a way to guess the shared secret.
func TestLockedDeviceTokensDoNotHideWrongSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, tokenMode(), true)
		p, claim := at("127.0.0.1"), Claim{DeviceID: "d1", Role: "operator"}
		for range 10 {
			try(t, g, Attempt{Place: p, Credentials: creds("deviceToken=bad"), Device: true}, claim)
		}
		for range 10 {
			try(t, g, Attempt{Place: p, Credentials: creds("token=bad"), Device: true}, claim)
		}
		if got := try(t, g, Attempt{Place: p, Credentials: creds("token=" + secretText)}, claim); got != string(RateLimited) {
			t.Errorf("the right secret after ten wrong ones: %s", got)
		}
	})
}

// A device that has its own token comes in while the shared secret is locked.
func TestDeviceTokenWorksWhileSecretsAreLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, tokenMode(), true)
		p := at("127.0.0.1")
		v := visitor("d1", "operator.read")
		dt := admitted(t, g.devices, v).Token.DeviceToken
		for range 10 {
			g.Shared(Attempt{Place: p, Credentials: creds("token=bad")})
		}
		if got := try(t, g, Attempt{Place: p, Credentials: creds("token=" + dt), Device: true}, v.Claim); got != "ok device-token" {
			t.Errorf("the device's token: %s", got)
		}
		if got := try(t, g, Attempt{Place: p, Credentials: creds("token=" + secretText), Device: true}, v.Claim); got != string(RateLimited) {
			t.Errorf("the shared token: %s", got)
		}
		if err := g.devices.Close(); err != nil {
			t.Error(err)
		}
	})
}

// With parley.throttleLoopback off, loopback is counted as OpenClaw does it.
func TestThrottleAsTheReference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		claim := Claim{DeviceID: "d1", Role: "operator"}
		p := at("127.0.0.1")
		bad, good := creds("token=bad"), creds("token="+secretText)

		free := newGate(t, tokenMode(), false)
		for range 50 {
			free.Shared(Attempt{Place: p, Credentials: bad})
		}
		if v := free.Shared(Attempt{Place: p, Credentials: good}); !v.OK {
			t.Errorf("nothing configured: %+v", v)
		}

		c := tokenMode()
		c.Auth.RateLimit = &config.RateLimit{MaxAttempts: 3, Window: time.Minute, Lockout: 3 * time.Second}
		g := newGate(t, c, false)
		for range 3 { // a wrong token next to a device is one wrong device token
			try(t, g, Attempt{Place: p, Credentials: bad, Device: true}, claim)
		}
		if got := try(t, g, Attempt{Place: p, Credentials: bad, Device: true}, claim); got != string(RateLimited) {
			t.Errorf("fourth wrong token of a device: %s", got)
		}
		if v := g.Shared(Attempt{Place: p, Credentials: good}); !v.OK {
			t.Errorf("right token without device: %+v", v)
		}
		for range 3 {
			g.Shared(Attempt{Place: p, Credentials: bad})
		}
		if v := g.Shared(Attempt{Place: p, Credentials: good}); v.Reason != RateLimited || v.RetryAfter != 3*time.Second {
			t.Errorf("right token while locked: %+v", v)
		}
		if got := try(t, g, Attempt{Place: p, Credentials: good, Device: true}, claim); got != string(RateLimited) {
			t.Errorf("right token of a device while locked: %s", got)
		}
		if v := g.Shared(Attempt{Place: p, Origin: "http://localhost:1", Credentials: bad}); v.Reason != TokenMismatch {
			t.Errorf("a page while others are locked: %+v", v)
		}
		time.Sleep(3 * time.Second)
		if v := g.Shared(Attempt{Place: p, Credentials: good}); !v.OK {
			t.Errorf("after the lock: %+v", v)
		}
	})
}

func TestBearer(t *testing.T) {
	for name, tc := range map[string]struct {
		config config.Gateway
		header string
		want   Verdict
	}{
		"token":            {tokenMode(), "Bearer " + secretText, Verdict{OK: true, Method: ByToken}},
		"scheme in a case": {tokenMode(), "bEARER  " + secretText + " ", Verdict{OK: true, Method: ByToken}},
		"password":         {passwordMode(), "Bearer " + secretText, Verdict{OK: true, Method: ByPassword}},
		"absent":           {tokenMode(), "", refused(TokenMissing)},
		"other scheme":     {tokenMode(), "Basic " + secretText, refused(TokenMissing)},
		"no scheme":        {tokenMode(), secretText, refused(TokenMissing)},
		"wrong":            {tokenMode(), "Bearer bad", refused(TokenMismatch)},
		"none":             {config.Gateway{Auth: config.Auth{Mode: config.AuthNone}}, "", Verdict{OK: true, Method: ByNothing}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, tc.config, true)
			if d := cmp.Diff(tc.want, g.Bearer(at("203.0.113.9"), header("Authorization", tc.header))); d != "" {
				t.Errorf("verdict (-want +got):\n%s", d)
			}
		})
	}
}
