package auth

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/rawjson"
)

// Identity is how the gateway itself is known to devices.
type Identity struct {
	DeviceID  string `json:"deviceId"`
	PublicKey string `json:"publicKey"` // base64url
}

// LoadIdentity reads <state>/identity/device.json, or makes a key pair and the
// file, through files (nil for the plain system), where there is none. A file
// that holds no key pair is kept aside.
func LoadIdentity(stateDir string, files *disk.FS, log *slog.Logger) (Identity, error) {
	path := filepath.Join(stateDir, "identity", "device.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createIdentity(files, path)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read the gateway's identity: %w", err)
	}
	if key, ok := identityKey(text); ok {
		return identityOf(key), nil
	}
	if err := setAside(files, path, log); err != nil {
		return Identity{}, err
	}
	return createIdentity(files, path)
}

func identityOf(key ed25519.PublicKey) Identity {
	return Identity{DeviceID: DeviceID(key), PublicKey: base64.RawURLEncoding.EncodeToString(key)}
}

// identityKey is the public key in an identity file whose private key fits.
func identityKey(text []byte) (ed25519.PublicKey, bool) {
	o, err := rawjson.Parse(text)
	if err != nil {
		return nil, false
	}
	key, err := decodeKey(o.Text("publicKeyPem"))
	block, _ := pem.Decode([]byte(o.Text("privateKeyPem")))
	if err != nil || block == nil {
		return nil, false
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, false
	}
	pair, ok := private.(ed25519.PrivateKey)
	return key, ok && pair.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(key))
}

func createIdentity(files *disk.FS, path string) (Identity, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return Identity{}, fmt.Errorf("make the gateway's key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Identity{}, fmt.Errorf("encode the gateway's key: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Identity{}, fmt.Errorf("encode the gateway's key: %w", err)
	}
	id := identityOf(public)
	var o rawjson.Object
	o.Put("version", 1)
	o.Put("deviceId", id.DeviceID)
	o.Put("publicKeyPem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})))
	o.Put("privateKeyPem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	o.Put("createdAtMs", time.Now().UnixMilli())
	text, err := indent(o)
	if err != nil {
		return Identity{}, err
	}
	if err := replace(files, path, append(text, '\n')); err != nil {
		return Identity{}, fmt.Errorf("write the gateway's identity: %w", err)
	}
	return id, nil
}
