// Package mint runs a real mint of Cashu over a node of the private network: gonuts, which is a module of its own
// in the folder gonuts, so that nothing of it is in ours. scripts/test-mint builds it.
package mint

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandglass/testutil/devnet/lnd"
	"sandglass/testutil/devnet/process"
)

// buildTime bounds the build, which takes minutes where it was not made before.
const buildTime = 20 * time.Minute

// Mint is a mint that runs until its test ends, but for a moment when it is rotated.
type Mint struct {
	URL string

	t       testing.TB
	path    string
	node    lnd.Info
	dir     string
	addr    string
	keyset  int
	nursery *process.Nursery
	process *process.Process
}

// Build returns the path of the mint, and builds it before if nobody has.
func Build(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("mint: where the module is: %w", err)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(strings.TrimSpace(string(dir)), "scripts", "test-mint"))
	cmd.Stderr = &said
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("mint: %w\n%s", err, said.Bytes())
	}
	return strings.TrimSpace(string(path)), nil
}

// Start starts a mint that pays and is paid by a node, and takes so much for each proof that is paid with, in
// thousandths of a satoshi.
func Start(t testing.TB, node lnd.Info, fee int) *Mint {
	t.Helper()
	path, err := Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := &Mint{t: t, path: path, node: node, dir: t.TempDir(), nursery: process.NewNursery()}
	ports := new(process.Ports)
	if err := ports.Take(&m.addr); err != nil {
		t.Fatal(err)
	}
	m.URL = "http://" + m.addr
	t.Cleanup(func() {
		m.Stop()
		m.nursery.Close()
		ports.Release()
	})
	m.start(fee)
	return m
}

func (m *Mint) start(fee int) {
	m.t.Helper()
	var err error
	m.process, err = m.nursery.Run("the mint", filepath.Join(m.dir, "log"), m.path, "-listen", m.addr, "-db", m.dir,
		"-lnd", m.node.GRPC, "-cert", m.node.TLSCert, "-macaroon", m.node.AdminMacaroon,
		"-keyset", strconv.Itoa(m.keyset), "-fee-ppk", strconv.Itoa(fee))
	if err == nil {
		err = m.process.Until(m.t.Context(), "the mint answers", func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL+"/v1/keysets", nil)
			if err != nil {
				return err
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			return res.Body.Close()
		})
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// Stop kills the mint.
func (m *Mint) Stop() {
	if err := m.process.Kill(); err != nil {
		m.t.Error(err)
	}
}

// Rotate has the mint sign by another keyset, which costs another fee. Tokens of the former are good still.
func (m *Mint) Rotate(fee int) {
	m.t.Helper()
	m.Stop()
	m.keyset++
	m.start(fee)
}
