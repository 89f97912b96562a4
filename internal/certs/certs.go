// Package certs owns the certificate that the gateway shows when gateway.tls is
// on: it loads the files, and makes a self-signed pair where there is none.
//
// A pair that was made is on disk, key first, before it is used; what is there
// is never overwritten.
package certs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/parleyd/parley/internal/atomicfile"
	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
)

// lifetime is how long a certificate that we make is good.
const lifetime = 3650 * 24 * time.Hour

// ErrIncomplete is the error for a certificate without key or the other way
// round. Its text is the one that the protocol names.
var ErrIncomplete = errors.New("gateway tls: cert/key missing")

// Pair is a certificate with its key.
type Pair struct {
	tls tls.Certificate
	// Fingerprint is the SHA-256 of the certificate, in lower-case hex: clients
	// that know it need no authority that vouches for the certificate.
	Fingerprint string
	// Made says that the files were made just now.
	Made bool
	// CertPath and KeyPath are where they lie.
	CertPath, KeyPath string
}

// Paths are where certificate and key lie under this configuration.
func Paths(c config.TLS, stateDir string) (cert, key string) {
	cert, key = c.CertPath, c.KeyPath
	if cert == "" {
		cert = filepath.Join(stateDir, "gateway", "tls", "gateway-cert.pem")
	}
	if key == "" {
		key = filepath.Join(stateDir, "gateway", "tls", "gateway-key.pem")
	}
	return cert, key
}

// Load reads the pair, or makes it where neither file is there and the
// configuration lets it.
func Load(c config.TLS, stateDir string, files *disk.FS) (*Pair, error) {
	p := &Pair{}
	p.CertPath, p.KeyPath = Paths(c, stateDir)
	cert, certFault := os.ReadFile(p.CertPath)
	key, keyFault := os.ReadFile(p.KeyPath)
	noCert, noKey := errors.Is(certFault, fs.ErrNotExist), errors.Is(keyFault, fs.ErrNotExist)
	switch {
	case noCert && noKey && c.AutoGenerate:
		var err error
		if cert, key, err = generate(time.Now()); err == nil {
			err = p.write(files, cert, key)
		}
		if err != nil {
			return nil, fmt.Errorf("make a certificate for gateway.tls: %w", err)
		}
		p.Made = true
	case noCert || noKey:
		return nil, fmt.Errorf("%w: certificate %s, key %s", ErrIncomplete, p.CertPath, p.KeyPath)
	case certFault != nil || keyFault != nil:
		return nil, fmt.Errorf("read the files of gateway.tls: %w", errors.Join(certFault, keyFault))
	}
	var err error
	if p.tls, err = tls.X509KeyPair(cert, key); err != nil {
		return nil, fmt.Errorf("gateway.tls: certificate %s and key %s: %w", p.CertPath, p.KeyPath, err)
	}
	p.Fingerprint = Fingerprint(p.tls.Certificate[0])
	return p, nil
}

// Fingerprint is that of a certificate in DER.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Config is what a listener needs: TLS 1.3, and HTTP/1.1 within it, for a
// WebSocket cannot be had over HTTP/2.
func (p *Pair) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{p.tls}, NextProtos: []string{"http/1.1"}}
}

// generate makes a self-signed pair in PEM.
func generate(now time.Time) (cert, key []byte, err error) {
	secret, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	name := pkix.Name{CommonName: "openclaw-gateway"}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: name, Issuer: name, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(lifetime),
		SignatureAlgorithm: x509.SHA256WithRSA, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return nil, nil, err
	}
	secretDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretDER}), nil
}

// write puts both files on disk, the key first: a certificate is never there
// without its key because of us.
func (p *Pair) write(files *disk.FS, cert, key []byte) error {
	if err := put(files, p.KeyPath, key); err != nil {
		return err
	}
	err := put(files, p.CertPath, cert)
	if err == nil {
		return nil
	}
	// A key alone would stop the next start. A certificate that took its place,
	// only not for sure, stays with its key.
	if _, look := os.Lstat(p.CertPath); errors.Is(look, fs.ErrNotExist) {
		err = errors.Join(err, os.Remove(p.KeyPath))
	}
	return err
}

func put(files *disk.FS, path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	root, err := files.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Replace(root, filepath.Base(path), content)
}
