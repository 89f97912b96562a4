package gatewaytest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// Device is the key pair by which a client proves who it is.
type Device struct {
	// ID is the hexadecimal SHA-256 of the public key.
	ID string
	// PublicKey is the raw public key in unpadded base64url.
	PublicKey string
	private   ed25519.PrivateKey
}

// NewDevice makes a key pair.
func NewDevice() *Device {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	sum := sha256.Sum256(public)
	return &Device{hex.EncodeToString(sum[:]), base64.RawURLEncoding.EncodeToString(public), private}
}

// Sign is the signature of a proof text in unpadded base64url.
func (d *Device) Sign(proof string) string {
	return base64.RawURLEncoding.EncodeToString(ed25519.Sign(d.private, []byte(proof)))
}
