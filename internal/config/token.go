package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/jstext"
)

// tokenBytes is how long a made token is: 48 hexadecimal digits.
const tokenBytes = 24

// TokenPath is where the token lies that a first start makes.
func TokenPath(stateDir string) string { return filepath.Join(stateDir, "token") }

// StoredToken is the token of TokenPath, empty when there is none.
func StoredToken(stateDir string) (Secret, error) {
	text, err := os.ReadFile(TokenPath(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, nil
	}
	if err != nil {
		return Secret{}, fmt.Errorf("read the gateway token: %w", err)
	}
	return NewSecret(jstext.Trim(string(text))), nil
}

// EnsureToken gives a configuration in mode token that has no token the one
// of TokenPath, which it makes when there is none; made says so. Any other
// configuration comes back as it is.
func EnsureToken(c *Config) (with *Config, made bool, err error) {
	if c.Gateway.Auth.Mode != AuthToken || !c.Gateway.Auth.Token.Empty() {
		return c, false, nil
	}
	token, err := StoredToken(c.StateDir)
	if err != nil {
		return nil, false, err
	}
	if token.Empty() {
		if token, err = makeToken(c.StateDir); err != nil {
			return nil, false, fmt.Errorf("make the gateway token: %w", err)
		}
		made = true
	}
	copied := *c
	copied.Gateway.Auth.Token = token
	return &copied, made, nil
}

// makeToken writes a new token.
func makeToken(stateDir string) (Secret, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return Secret{}, err
	}
	raw := make([]byte, tokenBytes)
	_, _ = rand.Read(raw) // never fails
	token := hex.EncodeToString(raw)
	return NewSecret(token), atomicfile.Write(TokenPath(stateDir), []byte(token+"\n"))
}
