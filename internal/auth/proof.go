package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/jstext"
	"github.com/parleyd/parley/internal/protocol"
)

// proofWindow is how far the time of a signature may be from our clock.
const proofWindow = 120_000 * time.Millisecond

// Proof is what a client says and signs to show that it owns a device key.
type Proof struct {
	Device protocol.Device
	Client protocol.Client
	Role   string   // as resolved
	Scopes []string // exactly as sent
	Token  string   // the first credential sent that a proof covers; see SignedToken
}

// proofError is the refusal of a proof.
func proofError(code, reason, message string) *protocol.Error {
	return protocol.Invalidf("%s", message).WithDetails(struct {
		Code   string `json:"code"`
		Reason string `json:"reason"`
	}{code, reason})
}

// Verify checks the proof against the connection's nonce. It returns the
// device's public key as it is kept: base64url without padding.
//
// The order of the checks is part of the protocol: a client learns of the
// first thing that is wrong.
func (p Proof) Verify(nonce string, now time.Time) (publicKey string, refusal *protocol.Error) {
	key, err := decodeKey(p.Device.PublicKey)
	if err != nil || DeviceID(key) != p.Device.ID {
		return "", proofError("DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", "device identity mismatch")
	}
	if age := now.UnixMilli() - int64(p.Device.SignedAt); age > proofWindow.Milliseconds() || age < -proofWindow.Milliseconds() {
		return "", proofError("DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", "device signature expired")
	}
	switch got := jstext.Trim(p.Device.Nonce); got {
	case "":
		return "", proofError("DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing", "device nonce required")
	case nonce:
	default:
		return "", proofError("DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch", "device nonce mismatch")
	}
	if !p.signed(key, nonce) {
		return "", proofError("DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", "device signature invalid")
	}
	return base64.RawURLEncoding.EncodeToString(key), nil
}

// signed reports whether the signature is one over the v3 or the v2 text.
func (p Proof) signed(key []byte, nonce string) bool {
	sig, err := decodeBase64(p.Device.Signature)
	// ed25519.Verify panics on a key of another length.
	if err != nil || len(key) != ed25519.PublicKeySize || len(sig) != ed25519.SignatureSize {
		return false
	}
	v2, v3 := p.texts(nonce)
	return ed25519.Verify(key, []byte(v3), sig) || ed25519.Verify(key, []byte(v2), sig)
}

// texts are the two texts that a client may have signed.
func (p Proof) texts(nonce string) (v2, v3 string) {
	common := strings.Join([]string{
		p.Device.ID, p.Client.ID, p.Client.Mode, p.Role, strings.Join(p.Scopes, ","),
		strconv.FormatInt(int64(p.Device.SignedAt), 10), p.Token, nonce,
	}, "|")
	return "v2|" + common, "v3|" + common + "|" + plain(p.Client.Platform) + "|" + plain(p.Client.DeviceFamily)
}

// SignedToken is the credential that a proof covers: the first that was sent
// of token, device token and bootstrap token, as sent. The password never is.
func SignedToken(c *protocol.Credentials) string {
	if c == nil {
		return ""
	}
	for _, s := range []*string{c.Token, c.DeviceToken, c.BootstrapToken} {
		if s != nil {
			return *s
		}
	}
	return ""
}

// DeviceID is the id of the device that owns a public key.
func DeviceID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// plain is how platform and device family are compared and signed: trimmed,
// ASCII letters in lower case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, jstext.Trim(s))
}

var (
	errNoEd25519 = errors.New("not an ed25519 public key in PEM")
	errNoKey     = errors.New("no base64")
)

// decodeKey reads a public key: base64 in either alphabet, padded or not, or
// PEM. The length is not judged here: whose id does not fit is told so first.
func decodeKey(text string) ([]byte, error) {
	if !strings.Contains(text, "BEGIN") {
		return decodeBase64(text)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errNoEd25519
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errNoEd25519
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, errNoEd25519
	}
	return key, nil
}

// decodeBase64 reads base64 in the standard or the URL alphabet as leniently as
// the reference does: what is in neither alphabet is passed over, and the first
// "=" ends the text. That forges nothing: the id is the hash of the bytes that
// are read.
func decodeBase64(text string) ([]byte, error) {
	text, _, _ = strings.Cut(text, "=")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/':
			return r
		}
		return -1
	}, text)
	if text == "" {
		return nil, errNoKey
	}
	return base64.RawStdEncoding.DecodeString(text)
}
