package lnd

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"

	"sandglass/adapters/lnd/rights"
)

var (
	errNoMacaroon = errors.New("lnd: no macaroon")
	errEmpty      = errors.New("lnd: the macaroon's file is empty")
)

// macaroonFile is the right to make calls, read for each of them, and checked against
// its role whenever it changed. It gives no macaroon that may do more.
type macaroonFile struct {
	path string
	role rights.Role // nil: it may be anything

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
	if err := m.role.Check(mac); err != nil {
		return nil, fmt.Errorf("lnd: %s: %w", m.path, err)
	}
	m.checked = mac
	return mac, nil
}
