package client

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parleyd/parley/internal/protocol"
	"github.com/parleyd/parley/internal/rawjson"
)

// Identity is a device key. A gateway knows a device by it, and lets a person
// decide once what the device may do.
type Identity struct {
	key ed25519.PrivateKey
}

// NewIdentity makes an Identity of a key; it panics when key has the wrong
// length, as the functions of crypto/ed25519 do.
func NewIdentity(key ed25519.PrivateKey) *Identity {
	if len(key) != ed25519.PrivateKeySize {
		panic("client: an Ed25519 private key has 64 bytes")
	}
	return &Identity{key: key}
}

// LoadIdentity reads the identity file at path, or makes a new key and the file
// (mode 0600) when there is none. The file's form is that of OpenClaw's
// identity/device.json.
func LoadIdentity(path string) (*Identity, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createIdentity(path); err != nil {
			return nil, fmt.Errorf("make the device identity %s: %w", path, err)
		}
		text, err = os.ReadFile(path) // another process may have been faster
	}
	if err != nil {
		return nil, fmt.Errorf("read the device identity: %w", err)
	}
	key, err := parseIdentity(text)
	if err != nil {
		return nil, fmt.Errorf("read the device identity %s: %w; remove the file to get a new identity", path, err)
	}
	return &Identity{key: key}, nil
}

// DeviceID is the name that the gateway knows the device by.
func (i *Identity) DeviceID() string {
	sum := sha256.Sum256(i.public())
	return hex.EncodeToString(sum[:])
}

func (i *Identity) public() ed25519.PublicKey { return i.key.Public().(ed25519.PublicKey) }

// prove signs what the gateway will check: that the owner of the key asks for
// exactly this, on this connection.
func (i *Identity) prove(p protocol.ConnectParams, token, nonce string) *protocol.Device {
	signedAt := time.Now().UnixMilli()
	signed := strings.Join([]string{
		"v3", i.DeviceID(), p.Client.ID, p.Client.Mode, p.ResolvedRole(), strings.Join(p.Scopes, ","),
		strconv.FormatInt(signedAt, 10), token, nonce, fold(p.Client.Platform), fold(p.Client.DeviceFamily),
	}, "|")
	return &protocol.Device{
		ID:        i.DeviceID(),
		PublicKey: base64.RawURLEncoding.EncodeToString(i.public()),
		Signature: base64.RawURLEncoding.EncodeToString(ed25519.Sign(i.key, []byte(signed))),
		SignedAt:  protocol.Int(signedAt),
		Nonce:     nonce,
	}
}

// fold trims text and lowers its ASCII letters, and no others: so do gateways.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.TrimSpace(text))
}

type identityFile struct {
	Version       int    `json:"version"`
	DeviceID      string `json:"deviceId"`
	PublicKeyPem  string `json:"publicKeyPem"`
	PrivateKeyPem string `json:"privateKeyPem"`
	CreatedAtMs   int64  `json:"createdAtMs"`
}

func parseIdentity(text []byte) (ed25519.PrivateKey, error) {
	var f identityFile
	if err := rawjson.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(f.PrivateKeyPem))
	if block == nil {
		return nil, errors.New("it has no privateKeyPem")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("its key is not an Ed25519 key")
	}
	return private, nil
}

// createIdentity puts a whole file in place or none; one that is there already
// stays.
func createIdentity(path string) error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	text, err := encodeIdentity(public, private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func encodeIdentity(public ed25519.PublicKey, private ed25519.PrivateKey) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return rawjson.Marshal(identityFile{
		Version:       1,
		DeviceID:      (&Identity{key: private}).DeviceID(),
		PublicKeyPem:  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
		PrivateKeyPem: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		CreatedAtMs:   time.Now().UnixMilli(),
	})
}
