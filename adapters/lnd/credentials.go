package lnd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"google.golang.org/grpc/credentials"
)

// certFile trusts the certificate in a file, which it reads for every handshake: lnd
// renews it at a start, a month before it ends.
type certFile struct{ path string }

// ClientHandshake implements [credentials.TransportCredentials].
func (c *certFile) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	pem, err := os.ReadFile(c.path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading lnd's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s holds no certificate", c.path)
	}
	return credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}).ClientHandshake(ctx, authority, conn)
}

// ServerHandshake implements [credentials.TransportCredentials], which clients are too.
func (c *certFile) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info implements [credentials.TransportCredentials].
func (c *certFile) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements [credentials.TransportCredentials].
func (c *certFile) Clone() credentials.TransportCredentials { return &certFile{c.path} }

// OverrideServerName implements [credentials.TransportCredentials].
func (c *certFile) OverrideServerName(string) error { return errors.ErrUnsupported }

// macaroonFile is the right to make calls, read for each of them, and checked against
// its role whenever it changed. It gives no macaroon that may do more.
type macaroonFile struct {
	path string
	role role // nil: it may be anything

	mu      sync.Mutex // guards what follows
	checked []byte     // what was found to be in order
}

// GetRequestMetadata implements [credentials.PerRPCCredentials].
func (m *macaroonFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	mac, err := m.read()
	if err != nil {
		return nil, err
	}
	return map[string]string{"macaroon": hex.EncodeToString(mac)}, nil
}

// RequireTransportSecurity implements [credentials.PerRPCCredentials].
func (m *macaroonFile) RequireTransportSecurity() bool { return true }

func (m *macaroonFile) read() ([]byte, error) {
	mac, err := os.ReadFile(m.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoMacaroon, err)
	}
	if len(mac) == 0 {
		return nil, fmt.Errorf("%w: %s", errEmpty, m.path)
	}
	if m.role == nil {
		return mac, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes.Equal(mac, m.checked) {
		return mac, nil
	}
	if err := m.role.check(mac); err != nil {
		return nil, fmt.Errorf("lnd: %s: %w", m.path, err)
	}
	m.checked = mac
	return mac, nil
}
