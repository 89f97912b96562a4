package auth

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// The known answers were made with another implementation of ed25519 (Node's),
// from the private key 00 01 02 … 1f.
const (
	knownKey   = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
	knownID    = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"
	knownPEM   = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n-----END PUBLIC KEY-----\n"
	knownNonce = "7f4c0f2e-5f0e-4f43-9d3f-1f5d1f6f0a11"
	knownV3    = "umWKtjoYySeQxV-NWAQPh0rP82tP61dPwvDQP2ZNok_yn-ctBxG2a2JsMZZDlXghyvy1KJ0X5k-ywOL4F9xCBw"
	knownV2    = "HoebaSqQsDvECopChE0L1njVGAOzI9MJxu_jx1g5M672JbGpswC0wWzPM0VKiLRNU5-5TXl06gaa55I2yTchBw"
)

var knownTime = time.UnixMilli(1_700_000_000_000)

func knownProof() Proof {
	return Proof{
		Device: protocol.Device{ID: knownID, PublicKey: knownKey, Signature: knownV3, SignedAt: 1_700_000_000_000, Nonce: knownNonce},
		Client: protocol.Client{ID: "cli", Version: "1", Mode: "cli", Platform: " LiNuX ", DeviceFamily: "Phone"},
		Role:   "operator", Scopes: []string{"operator.read", "operator.write"}, Token: "the token",
	}
}

// The page for authors of clients has a known answer to check their code with.
func TestPageKnowsTheAnswer(t *testing.T) {
	page, err := os.ReadFile("../../doc/client-authors.md")
	if err != nil {
		t.Fatal(err)
	}
	v2, _ := knownProof().texts(knownNonce)
	want := "\n```known-answer\npublicKey  " + knownKey + "\nid         " + knownID + "\ntext       " + v2 + "\nsignature  " + knownV2 + "\n```\n"
	if !strings.Contains(string(page), want) {
		t.Errorf("the page lacks%s", want)
	}
}

func TestProofKnownAnswers(t *testing.T) {
	for name, change := range map[string]func(*Proof){
		"v3":                         func(*Proof) {},
		"v2":                         func(p *Proof) { p.Device.Signature = knownV2 },
		"v2 covers no platform":      func(p *Proof) { p.Device.Signature, p.Client.Platform = knownV2, "else" },
		"key in standard base64":     func(p *Proof) { p.Device.PublicKey = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=" },
		"key as PEM":                 func(p *Proof) { p.Device.PublicKey = knownPEM },
		"key with other characters":  func(p *Proof) { p.Device.PublicKey = " " + knownKey[:9] + "!\n" + knownKey[9:] + "=AAAA" },
		"signature in lines":         func(p *Proof) { p.Device.Signature = p.Device.Signature[:40] + "\r\n*" + p.Device.Signature[40:] },
		"signature padded":           func(p *Proof) { p.Device.Signature += "==" },
		"signature standard base64":  func(p *Proof) { p.Device.Signature = strings.NewReplacer("-", "+", "_", "/").Replace(knownV3) },
		"nonce with space around it": func(p *Proof) { p.Device.Nonce = " " + knownNonce + "\n" },
	} {
		t.Run(name, func(t *testing.T) {
			p := knownProof()
			change(&p)
			key, err := p.Verify(knownNonce, knownTime)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if key != knownKey {
				t.Errorf("key = %s, want %s", key, knownKey)
			}
		})
	}
}

// Each refusal is caused together with all that come after it: the first must
// be told.
func TestProofRefusalsInOrder(t *testing.T) {
	badSignature := func(p *Proof) { p.Device.Signature = "AAAA" }
	badNonce := func(p *Proof) { badSignature(p); p.Device.Nonce = "made-up" }
	noNonce := func(p *Proof) { badSignature(p); p.Device.Nonce = " \t" }
	for name, tc := range map[string]struct {
		change       func(*Proof)
		at           time.Duration
		code, reason string
		message      string
	}{
		"other id":                  {func(p *Proof) { badNonce(p); p.Device.ID = "abc" }, time.Hour, "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch"},
		"upper-case id":             {func(p *Proof) { p.Device.ID = strings.ToUpper(knownID) }, 0, "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch"},
		"undecodable key":           {func(p *Proof) { badNonce(p); p.Device.PublicKey = "!!!" }, time.Hour, "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch"},
		"key without a byte":        {func(p *Proof) { p.Device.ID, p.Device.PublicKey = DeviceID(nil), "=" }, 0, "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch"},
		"broken PEM":                {func(p *Proof) { p.Device.PublicKey = "-----BEGIN PUBLIC KEY-----\n" + knownKey }, 0, "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch"},
		"signed too early":          {badNonce, 120_001 * time.Millisecond, "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", "device signature expired"},
		"signed in the future":      {badNonce, -120_001 * time.Millisecond, "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", "device signature expired"},
		"signed at the end of time": {func(p *Proof) { p.Device.SignedAt = 1<<63 - 1 }, 0, "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", "device signature expired"},
		"no nonce":                  {noNonce, 120 * time.Second, "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing", "device nonce required"},
		"other nonce":               {badNonce, -120 * time.Second, "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch", "device nonce mismatch"},
		"short signature":           {badSignature, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"other role":                {func(p *Proof) { p.Role = "node" }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"other scopes":              {func(p *Proof) { p.Scopes = p.Scopes[:1] }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"scopes reordered":          {func(p *Proof) { p.Scopes = []string{"operator.write", "operator.read"} }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"token trimmed":             {func(p *Proof) { p.Token = "the token " }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"other platform":            {func(p *Proof) { p.Client.Platform = "darwin" }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"other family":              {func(p *Proof) { p.Client.DeviceFamily = "" }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"other client":              {func(p *Proof) { p.Client.ID = "test" }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"other mode":                {func(p *Proof) { p.Client.Mode = "ui" }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
		"other time":                {func(p *Proof) { p.Device.SignedAt++ }, 0, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			p := knownProof()
			tc.change(&p)
			key, err := p.Verify(knownNonce, knownTime.Add(tc.at))
			if err == nil {
				t.Fatalf("accepted with key %s", key)
			}
			details := `{"code":"` + tc.code + `","reason":"` + tc.reason + `"}`
			want := &protocol.Error{Code: protocol.InvalidRequest, Message: tc.message, Details: rawjson.Value(details)}
			if d := cmp.Diff(want, err); d != "" {
				t.Errorf("refusal (-want +got):\n%s", d)
			}
		})
	}
}

// A key of a wrong length whose hash fits must not reach ed25519, which panics.
func TestProofKeyOfWrongLength(t *testing.T) {
	for _, n := range []int{31, 33, 64} {
		key := make([]byte, n)
		p := knownProof()
		p.Device.ID, p.Device.PublicKey = DeviceID(key), base64.RawURLEncoding.EncodeToString(key)
		if _, err := p.Verify(knownNonce, knownTime); err == nil || err.Message != "device signature invalid" {
			t.Errorf("key of %d bytes: %v", n, err)
		}
	}
}

func TestSignedTokenIsTheFirstSent(t *testing.T) {
	a, b, c, empty, pass := "a", "b", " c ", "", "p"
	for _, tc := range []struct {
		in   *protocol.Credentials
		want string
	}{
		{nil, ""},
		{&protocol.Credentials{Password: &pass}, ""},
		{&protocol.Credentials{Token: &a, DeviceToken: &b, BootstrapToken: &c}, "a"},
		{&protocol.Credentials{DeviceToken: &b, BootstrapToken: &c}, "b"},
		{&protocol.Credentials{BootstrapToken: &c}, " c "},
		{&protocol.Credentials{Token: &empty, DeviceToken: &b}, ""},
	} {
		if got := SignedToken(tc.in); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

// FuzzProof sends arbitrary device fields: nothing may panic, and nothing but a
// true signature of the key may pass.
func FuzzProof(f *testing.F) {
	f.Add(knownID, knownKey, knownV3, int64(1_700_000_000_000), knownNonce)
	f.Add(knownID, knownPEM, knownV2, int64(1_700_000_000_000), knownNonce)
	f.Add("", "", "", int64(-1), "")
	f.Add(knownID, "-----BEGIN", "====", int64(1<<62), " ")
	f.Fuzz(func(t *testing.T, id, key, signature string, at int64, nonce string) {
		p := knownProof()
		p.Device = protocol.Device{ID: id, PublicKey: key, Signature: signature, SignedAt: protocol.Int(at), Nonce: nonce}
		stored, err := p.Verify(knownNonce, knownTime)
		if err != nil {
			return
		}
		raw, derr := base64.RawURLEncoding.DecodeString(stored)
		if derr != nil || len(raw) != ed25519.PublicKeySize || DeviceID(raw) != id {
			t.Fatalf("accepted key %q for id %s", stored, id)
		}
		if _, err := hex.DecodeString(id); err != nil {
			t.Fatalf("accepted id %q", id)
		}
	})
}
