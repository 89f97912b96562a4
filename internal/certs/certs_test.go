package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyd/parley/internal/config"
	"github.com/parleyd/parley/internal/disk"
	"github.com/parleyd/parley/internal/disk/disktest"
)

func TestLoadMakesAPairOnce(t *testing.T) {
	state := t.TempDir()
	made, err := Load(config.TLS{AutoGenerate: true}, state, nil)
	if err != nil || !made.Made {
		t.Fatalf("%+v, %v", made, err)
	}
	for _, path := range []string{made.CertPath, made.KeyPath} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || filepath.Dir(path) != filepath.Join(state, "gateway", "tls") {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	leaf, err := x509.ParseCertificate(made.tls.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if leaf.Subject.String() != "CN=openclaw-gateway" || len(leaf.DNSNames)+len(leaf.IPAddresses) != 0 || leaf.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("subject %s, names %v %v, signed with %s", leaf.Subject, leaf.DNSNames, leaf.IPAddresses, leaf.SignatureAlgorithm)
	}
	if days := leaf.NotAfter.Sub(leaf.NotBefore).Hours() / 24; days < 3649 || days > 3651 {
		t.Errorf("it is good for %v days", days)
	}
	again, err := Load(config.TLS{AutoGenerate: true}, state, nil)
	if err != nil || again.Made || again.Fingerprint != made.Fingerprint || len(made.Fingerprint) != 64 {
		t.Errorf("loaded %+v, %v; made %+v", again, err, made)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := t.TempDir()
	if _, err := Load(config.TLS{AutoGenerate: true}, good, nil); err != nil {
		t.Fatal(err)
	}
	cert, key := Paths(config.TLS{}, good)
	bad := filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(bad, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		c       config.TLS
		missing bool
		says    string
	}{
		{"no certificate", config.TLS{AutoGenerate: true, CertPath: bad + "x", KeyPath: key}, true, "bad.pemx"},
		{"no key", config.TLS{AutoGenerate: true, CertPath: cert, KeyPath: bad + "x"}, true, "bad.pemx"},
		{"neither, and none may be made", config.TLS{CertPath: bad + "x", KeyPath: bad + "y"}, true, "bad.pemy"},
		{"a certificate that is none", config.TLS{CertPath: bad, KeyPath: key}, false, "bad.pem"},
		{"a directory", config.TLS{CertPath: good, KeyPath: key}, false, "directory"},
	} {
		p, err := Load(tt.c, good, nil)
		if p != nil || err == nil || errors.Is(err, ErrIncomplete) != tt.missing || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %+v, %v", tt.name, p, err)
		}
	}
}

// Whatever fails while a pair is made, there is no certificate without its key,
// and the next start makes one or says what is missing.
func TestFaultsLeaveNoHalfPair(t *testing.T) {
	disktest.EachFault(t, func(t *testing.T, files *disk.FS, dir string) error {
		_, err := Load(config.TLS{AutoGenerate: true}, dir, files)
		return err
	}, func(t *testing.T, dir string, workErr error) {
		cert, key := Paths(config.TLS{}, dir)
		_, certFault := os.Stat(cert)
		_, keyFault := os.Stat(key)
		if certFault == nil && keyFault != nil {
			t.Errorf("a certificate without key after %v", workErr)
		}
		p, err := Load(config.TLS{AutoGenerate: true}, dir, nil)
		if p == nil && !errors.Is(err, ErrIncomplete) || workErr == nil && (err != nil || p.Made) {
			t.Errorf("the next start: %+v, %v", p, err)
		}
	})
}

func TestOnlyTLS13(t *testing.T) {
	p, err := Load(config.TLS{AutoGenerate: true}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for version, fine := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
		here, there := net.Pipe()
		served := make(chan error, 1)
		go func() {
			s := tls.Server(there, p.Config())
			err := s.Handshake()
			if err == nil {
				_, err = io.WriteString(s, "hello")
			}
			served <- errors.Join(err, there.Close())
		}()
		c := tls.Client(here, &tls.Config{InsecureSkipVerify: true, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}})
		text, err := io.ReadAll(c)
		if got := err == nil && string(text) == "hello"; got != fine && !(fine && string(text) == "hello") {
			t.Errorf("version %x: %q, %v", version, text, err)
		}
		if fine && c.ConnectionState().NegotiatedProtocol != "http/1.1" {
			t.Errorf("agreed on %q", c.ConnectionState().NegotiatedProtocol)
		}
		_ = here.Close()
		<-served
	}
}
