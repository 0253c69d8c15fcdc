// Package build builds the nodes of the private network, lnd and btcd, from the module in
// ../nodes, once, into a cache.
//
// What stands in the cache is whole: a build happens in a folder of its own, under a lock,
// and is moved. The network that runs the nodes is package devnet.
package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"sandglass/testutil/devnet/process"
)

// lowscrypt makes creating a wallet cheap; nothing else differs from a release.
const tags = "autopilotrpc chainrpc invoicesrpc peersrpc routerrpc signrpc walletrpc watchtowerrpc wtclientrpc lowscrypt"

var packages = []string{
	"github.com/btcsuite/btcd",
	"github.com/lightningnetwork/lnd/cmd/lncli",
	"github.com/lightningnetwork/lnd/cmd/lnd",
}

// Binaries are the paths of the built nodes.
type Binaries struct {
	Btcd, Lnd, Lncli string
}

func binariesIn(dir string) Binaries {
	return Binaries{
		Btcd:  filepath.Join(dir, "btcd"),
		Lnd:   filepath.Join(dir, "lnd"),
		Lncli: filepath.Join(dir, "lncli"),
	}
}

func (b Binaries) exist() bool {
	for _, path := range []string{b.Btcd, b.Lnd, b.Lncli} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

// Nodes returns the nodes' binaries, and builds them before if the cache doesn't
// hold them: minutes the first time, while it writes to progress (which may be
// nil) what it is at. Two processes that need them at once build them once.
//
// The cache is $SANDGLASS_CACHE or the user's cache folder; its key is all that
// goes into the binaries. Where the folder $SANDGLASS_BIN has all of them, they are
// taken as they are, on a machine that has no Go.
func Nodes(ctx context.Context, progress io.Writer) (Binaries, error) {
	if progress == nil {
		progress = io.Discard
	}
	if dir := os.Getenv("SANDGLASS_BIN"); dir != "" {
		if ready := binariesIn(dir); ready.exist() {
			return ready, nil
		}
	}
	nodes, err := nodesModule()
	if err != nil {
		return Binaries{}, err
	}
	dir, err := cacheDir(nodes)
	if err != nil {
		return Binaries{}, err
	}
	built := binariesIn(dir)
	if built.exist() {
		return built, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Binaries{}, err
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"), progress)
	if err != nil {
		return Binaries{}, err
	}
	defer unlock()
	if built.exist() {
		return built, nil // another process was faster
	}
	return built, build(ctx, nodes, dir, progress)
}

// nodesModule finds the module that pins the nodes, from the working folder, as tests run in their
// package's, or else from where this file was compiled.
func nodesModule() (string, error) {
	var candidates []string
	for dir, err := os.Getwd(); err == nil; dir = filepath.Dir(dir) {
		candidates = append(candidates, filepath.Join(dir, "testutil", "devnet", "nodes"))
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		candidates = append(candidates, filepath.Join(filepath.Dir(file), "..", "nodes"))
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("found no testutil/devnet/nodes: run this in a checkout of sandglass")
}

func cacheDir(nodes string) (string, error) {
	base := os.Getenv("SANDGLASS_CACHE")
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: set SANDGLASS_CACHE to a folder", err)
		}
		base = filepath.Join(user, "sandglass")
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return "", err
	}
	key := sha256.New()
	fmt.Fprintln(key, runtime.Version(), runtime.GOOS, runtime.GOARCH, tags)
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(nodes, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(key, "%s %d\n%s", name, len(data), data)
	}
	return filepath.Join(base, "devnet", fmt.Sprintf("%x", key.Sum(nil)[:8])), nil
}

// lock waits until no other process builds. The kernel lets the lock go when its
// owner dies.
func lock(ctx context.Context, path string, progress io.Writer) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; ; tries++ {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		}
		if tries%25 == 0 { // every 5 seconds
			fmt.Fprintln(progress, "devnet: another process builds btcd and lnd: waiting for it")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		case <-tick.C:
		}
	}
}

// build builds into a folder of its own and moves the result to dir: what stands
// there is whole. The last name is moved last.
func build(ctx context.Context, nodes, dir string, progress io.Writer) error {
	work, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := goBuild(ctx, nodes, work, progress); err != nil {
		return err
	}
	for _, pkg := range packages {
		name := filepath.Base(pkg)
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func goBuild(ctx context.Context, nodes, out string, progress io.Writer) error {
	report := newReport(progress)
	defer report.stop()
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=" + tags, "-o", out + "/"}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Dir = nodes
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	cmd.Stdout, cmd.Stderr = report, report
	// Interrupted, go removes its work folder; killed, it would leave it.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	n := process.NewNursery()
	defer n.Close()
	err := n.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("build btcd and lnd: %w", context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("build btcd and lnd: %w\n%s", err, strings.Join(report.lines(), "\n"))
	}
	return nil
}
