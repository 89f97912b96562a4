package client

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// web makes the connection: it knows the one certificate that is expected.
func (o Options) web() (*http.Client, error) {
	if o.Fingerprint == "" {
		return o.HTTP, nil
	}
	if o.HTTP != nil {
		return nil, errors.New("Fingerprint and HTTP cannot be given together")
	}
	want, err := hex.DecodeString(strings.ReplaceAll(o.Fingerprint, ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%q is no SHA-256 of a certificate in hex", o.Fingerprint)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // instead of an authority the fingerprint is asked, below
		VerifyConnection: func(s tls.ConnectionState) error {
			got := sha256.Sum256(s.PeerCertificates[0].Raw)
			if string(got[:]) != string(want) {
				return fmt.Errorf("the gateway shows another certificate than expected: its SHA-256 is %x", got)
			}
			return nil
		},
	}}}, nil
}
