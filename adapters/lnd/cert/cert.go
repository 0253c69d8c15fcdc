// Package cert trusts lnd's certificate, and where that fails says which of the two that were
// compared is at fault: lnd's or the copy of it.
package cert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc/credentials"
)

// What is wrong with a certificate that is not trusted. gRPC keeps the texts alone.
var (
	ErrNone     = errors.New("holds no certificate")
	ErrExpired  = errors.New("lnd's own certificate is expired")       // whatever the file holds
	ErrEarly    = errors.New("lnd's own certificate is not valid yet") // by our clock
	ErrOutdated = errors.New("the file is an outdated copy of lnd's certificate")
	ErrAddress  = errors.New("lnd's certificate is for other addresses")
	ErrForeign  = errors.New("the certificate is another's")
)

// File trusts the certificates in a file, which it reads for every handshake: lnd renews its
// own at a start, a month before it ends.
type File struct{ Path string }

// ClientHandshake implements [credentials.TransportCredentials].
func (f *File) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	text, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading lnd's certificate: %w", err)
	}
	ours := parse(text)
	if len(ours) == 0 {
		return nil, nil, fmt.Errorf("%s %w", f.Path, ErrNone)
	}
	roots := x509.NewCertPool()
	for _, c := range ours {
		roots.AddCert(c)
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	secure, info, err := credentials.NewTLS(config).ClientHandshake(ctx, authority, conn)
	if err != nil {
		return nil, nil, explain(err, ours, time.Now())
	}
	return secure, info, nil
}

// parse returns the certificates of a file, and leaves out what is none.
func parse(text []byte) (list []*x509.Certificate) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			list = append(list, c)
		}
	}
	return list
}

// explain says which of the certificates is why a handshake failed, if one is.
func explain(err error, ours []*x509.Certificate, now time.Time) error {
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) || len(refused.UnverifiedCertificates) == 0 {
		return err
	}
	why, served := ErrForeign, refused.UnverifiedCertificates[0]
	switch {
	case now.After(served.NotAfter):
		why = ErrExpired
	case now.Before(served.NotBefore):
		why = ErrEarly
	case errors.As(err, new(x509.HostnameError)):
		why = ErrAddress
	default:
		for _, c := range ours {
			renewed := bytes.Equal(c.RawSubject, served.RawSubject) && c.NotBefore.Before(served.NotBefore)
			if renewed || now.After(c.NotAfter) {
				why = ErrOutdated
			}
		}
	}
	return fmt.Errorf("%w: %w", why, err)
}

// ServerHandshake implements [credentials.TransportCredentials], which clients are too.
func (f *File) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info implements [credentials.TransportCredentials].
func (f *File) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements [credentials.TransportCredentials].
func (f *File) Clone() credentials.TransportCredentials { return &File{f.Path} }

// OverrideServerName implements [credentials.TransportCredentials].
func (f *File) OverrideServerName(string) error { return errors.ErrUnsupported }
