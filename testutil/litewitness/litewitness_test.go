// Package litewitness holds our client of witnesses against a real one, litewitness of torchwood, and our receipts
// against torchwood's verifier. They are a module of its own in the folder torchwood, so that nothing of it is in
// ours. scripts/test-witness builds them.
package litewitness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/witness"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/witnessing"
	"sandglass/testutil/devnet/process"

	"golang.org/x/mod/sumdb/tlog"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const origin = "shop.example.org/log"

// programs returns the folder of what scripts/test-witness builds.
func programs(t *testing.T) string {
	t.Helper()
	module := run(t, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	return run(t, ".", filepath.Join(module, "scripts", "test-witness"))
}

// running is a witness that runs.
type running struct {
	url string
	key *cosign.Witness
	db  string // of the logs that it knows
}

// run runs a command to its end, and returns what it prints.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+filepath.Join(dir, "s"))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, said.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// key returns the public key of the witness, of what ssh-keygen wrote.
func key(t *testing.T, dir, name string) *cosign.Witness {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := base64.StdEncoding.DecodeString(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	raw := append([]byte{4}, blob[len(blob)-ed25519.PublicKeySize:]...)
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	w, err := cosign.ParseWitness(fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// start starts a witness of a name.
func start(t *testing.T, name string) *running {
	t.Helper()
	path := filepath.Join(programs(t), "litewitness")
	dir, err := os.MkdirTemp("", "w") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	nursery, ports := process.NewNursery(), new(process.Ports)
	t.Cleanup(func() {
		nursery.Close()
		ports.Release()
		_ = os.RemoveAll(dir) // of a temporary folder
	})
	var addr string
	if err := ports.Take(&addr); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key")
	agent, err := nursery.Run("the agent", filepath.Join(dir, "agent.log"), "ssh-agent", "-a", filepath.Join(dir, "s"), "-D")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Kill() }) // which the end of the nursery does not end
	until(t, agent, "the agent answers", func() error {
		c, err := net.Dial("unix", filepath.Join(dir, "s"))
		if err == nil {
			err = c.Close()
		}
		return err
	})
	run(t, dir, "ssh-add", "-q", "key")
	fingerprint := strings.Fields(run(t, dir, "ssh-keygen", "-lf", "key.pub"))[1]
	db := filepath.Join(dir, "w.db")
	p, err := nursery.Run("the witness", filepath.Join(dir, "log"), path, "-name", name, "-db", db,
		"-ssh-agent", filepath.Join(dir, "s"), "-key", fingerprint, "-listen", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	until(t, p, "the witness answers", func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
	return &running{"http://" + addr, key(t, dir, name), db}
}

// know has the witness know a log, as its operator does.
func (w *running) know(t *testing.T, vkey string) {
	t.Helper()
	conn, err := sqlite.OpenConn(w.db, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := tlog.TreeHash(0, nil)
	if err == nil {
		err = sqlitex.Execute(conn, "INSERT INTO log VALUES(?, 0, ?)", &sqlitex.ExecOptions{Args: []any{origin, empty.String()}})
	}
	if err == nil {
		err = sqlitex.Execute(conn, "INSERT INTO key VALUES(?, ?)", &sqlitex.ExecOptions{Args: []any{origin, vkey}})
	}
	if err = errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, p *process.Process, what string, try func() error) {
	t.Helper()
	if err := p.Until(t.Context(), what, func(context.Context) error { return try() }); err != nil {
		t.Fatal(err)
	}
}

// log is a log that is signed, in memory.
type log struct {
	t      *testing.T
	key    *checkpoint.Key
	hashes []tlog.Hash
}

func (l *log) ReadHashes(indexes []int64) (out []tlog.Hash, err error) {
	for _, i := range indexes {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

// grow has so many events of a kind.
func (l *log) grow(from, until int64, says byte) {
	for i := from; i < until; i++ {
		more, err := tlog.StoredHashes(i, []byte{says, byte(i)}, l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes = append(l.hashes, more...)
	}
}

// request is to cosign a size, from an old one.
func (l *log) request(old, size int64) (r witnessing.Request) {
	l.t.Helper()
	root, err := tlog.TreeHash(size, l)
	if err == nil && old > 0 && old < size {
		r.Proof, err = tlog.ProveTree(size, old, l)
	}
	if err == nil {
		r.Old = old
		r.Note, err = checkpoint.Sign(checkpoint.Checkpoint{Origin: origin, Size: size, Root: root}, l.key)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// TestLitewitness: a real witness cosigns what goes on, says from where, and refuses a history that was rewritten.
func TestLitewitness(t *testing.T) {
	k, err := checkpoint.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := k.VKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, "witness.example/w1")
	w.know(t, vkey)
	client, err := witness.New(w.url)
	if err != nil {
		t.Fatal(err)
	}
	ours, rewritten := &log{t: t, key: k}, &log{t: t, key: k}
	ours.grow(0, 300, 1)
	rewritten.grow(0, 5, 1)
	rewritten.grow(5, 300, 2)
	policy, err := cosign.NewPolicy(vkey, 1, w.key)
	if err != nil {
		t.Fatal(err)
	}
	cosigned := func(old, size int64) {
		t.Helper()
		r := ours.request(old, size)
		lines, err := client.Add(t.Context(), r)
		if err != nil {
			t.Fatalf("from %d to %d: %v", old, size, err)
		}
		if c, _, err := policy.Open(append(bytes.Clone(r.Note), lines...)); err != nil || c.Size != size {
			t.Errorf("from %d to %d: %+v, %v", old, size, c, err)
		}
	}
	cosigned(0, 7)
	cosigned(7, 7)
	var at *witnessing.Elsewhere
	if _, err := client.Add(t.Context(), ours.request(3, 300)); !errors.As(err, &at) || at.Size != 7 {
		t.Errorf("from elsewhere: %v", err)
	}
	if _, err := client.Add(t.Context(), rewritten.request(7, 300)); !errors.Is(err, witnessing.ErrForked) {
		t.Errorf("rewritten: %v", err)
	}
	cosigned(7, 300)
	other, err := checkpoint.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	thief := &log{t: t, key: other, hashes: ours.hashes}
	if _, err := client.Add(t.Context(), thief.request(300, 300)); !errors.Is(err, witnessing.ErrRefused) {
		t.Errorf("of another key: %v", err)
	}
}
