// Package build builds the nodes of the private network, lnd and btcd, once, into a cache.
//
// The module that pins them, nodes.mod and nodes.sum, is a part of the binary, so that it builds
// them wherever it runs. To raise a version, copy the two to an empty folder as go.mod and go.sum,
// ask "go get" there, and copy them back.
//
// What stands in the cache is whole: a build happens in a folder of its own, under a lock,
// and is moved. The network that runs the nodes is package devnet.
package build

import (
	"context"
	"crypto/sha256"
	_ "embed"
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

var (
	//go:embed nodes.mod
	nodesMod []byte
	//go:embed nodes.sum
	nodesSum []byte
)

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
	dir, err := cacheDir()
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
	return built, build(ctx, dir, progress)
}

func cacheDir() (string, error) {
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
	fmt.Fprintf(key, "go.mod %d\n%s", len(nodesMod), nodesMod)
	fmt.Fprintf(key, "go.sum %d\n%s", len(nodesSum), nodesSum)
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
func build(ctx context.Context, dir string, progress io.Writer) error {
	work, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := writeModule(work); err != nil {
		return err
	}
	if err := goBuild(ctx, work, progress); err != nil {
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

func writeModule(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), nodesMod, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), nodesSum, 0o644)
}

// goBuild builds the module in the folder dir into it.
func goBuild(ctx context.Context, dir string, progress io.Writer) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return errors.New("building btcd and lnd needs Go 1.26 or later, https://go.dev/dl: " +
			"install it, or name by SANDGLASS_BIN a folder that has btcd, lnd and lncli")
	}
	report := newReport(progress)
	defer report.stop()
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=" + tags, "-o", dir + "/"}
	cmd := exec.CommandContext(ctx, tool, append(args, packages...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	cmd.Stdout, cmd.Stderr = report, report
	// Interrupted, go removes its work folder; killed, it would leave it.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	n := process.NewNursery()
	defer n.Close()
	err = n.Start(cmd)
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
