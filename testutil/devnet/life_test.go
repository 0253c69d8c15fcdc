package devnet_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandglass/testutil/devnet"
)

const helperEnv = "DEVNET_TEST_HELPER" // the folder for a helper's data

// helper is the process that TestNothingOutlivesItsParent kills: this binary
// again. It says "ready" when its network is.
func helper(dir string) {
	_, err := devnet.Start(context.Background(), devnet.Options{Dir: dir, Progress: os.Stdout})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("helper is ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
	os.Exit(0)
}

// using returns the command lines of the processes that name dir.
func using(dir string) (found []string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		cmd, err := os.ReadFile(path)
		if err == nil && bytes.Contains(cmd, []byte(dir)) {
			found = append(found, strings.ReplaceAll(string(cmd), "\x00", " "))
		}
	}
	return found
}

// waitClean fails unless all processes and files below dir go.
func waitClean(t *testing.T, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	check(t, devnet.Until(ctx, "nothing is left", func(context.Context) error {
		files, err := os.ReadDir(dir)
		if len(files) > 0 {
			return fmt.Errorf("left in %s: %v", dir, files)
		}
		if procs := using(dir); len(procs) > 0 {
			return fmt.Errorf("still running: %s", strings.Join(procs, "\n"))
		}
		return err
	}))
}

func TestNothingOutlivesItsParent(t *testing.T) {
	for _, until := range []string{"starting alice and bob", "opening the channel", "helper is ready"} {
		dir, err := os.MkdirTemp("/dev/shm", "devnet-test-") // t.TempDir would hide what is left
		check(t, err)
		defer os.RemoveAll(dir)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), helperEnv+"="+dir)
		cmd.Stderr = os.Stderr
		_, err = cmd.StdinPipe()
		check(t, err)
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.Contains(lines.Text(), until) {
		}
		if procs := using(dir); len(procs) < 2 { // the reaper and btcd at least
			t.Errorf("%s: running before the kill: %v", until, procs)
		}
		check(t, cmd.Process.Kill())
		_ = cmd.Wait()
		waitClean(t, dir)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	net, err := devnet.Start(t.Context(), devnet.Options{Dir: dir})
	check(t, err)
	check(t, net.Alice.Freeze())
	check(t, net.Close())
	check(t, net.Close())
	if procs := using(dir); len(procs) > 0 {
		t.Errorf("still running: %v", procs)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) > 0 {
		t.Errorf("left: %v, %v", files, err)
	}
}

// TestFailedStart also sees that the folder of an owner who is gone goes: no
// process has started at the first tick of the machine's clock.
func TestFailedStart(t *testing.T) {
	dir := t.TempDir()
	orphan := filepath.Join(dir, fmt.Sprintf("sandglass-devnet-%d-1-123", os.Getpid()))
	check(t, os.MkdirAll(filepath.Join(orphan, "alice"), 0o700))
	_, err := devnet.Start(t.Context(), devnet.Options{Dir: dir, Binaries: devnet.Binaries{Btcd: "/bin/false"}})
	if err == nil || !strings.Contains(err.Error(), "btcd ended (exit status 1)") {
		t.Errorf("start with a broken btcd: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("left: %v, %v", files, err)
	}
}

func TestChannelSurvivesKill(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	before, err := net.Alice.Invoice(ctx, 4_000, "added before the kill")
	check(t, err)
	check(t, net.Alice.Kill())
	if net.Alice.Running() {
		t.Error("alice runs after the kill")
	}
	check(t, net.Alice.Restart(ctx))
	check(t, net.WaitChannel(ctx))
	after, err := net.Alice.Invoice(ctx, 4_000, "added after it")
	check(t, err)
	for _, inv := range []*lnrpc.AddInvoiceResponse{before, after} {
		_, err = net.Bob.Pay(ctx, inv.PaymentRequest)
		check(t, err)
	}
}

func TestSharedMends(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	check(t, net.Alice.Freeze())
	check(t, net.Bob.Stop(ctx))
	if again := devnet.Shared(t); again != net {
		t.Error("Shared started another network")
	}
	inv, err := net.Alice.Invoice(ctx, 4_000, "mended")
	check(t, err)
	_, err = net.Bob.Pay(ctx, inv.PaymentRequest)
	check(t, err)
}

func TestFrozenNodeIsSilent(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	check(t, net.Alice.Freeze())
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err := net.Alice.Lightning.GetInfo(short, &lnrpc.GetInfoRequest{})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a frozen node answers %v", err)
	}
	check(t, net.Alice.Thaw())
	_, err = net.Alice.Lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	check(t, err)
}

func TestLockedNode(t *testing.T) {
	net, ctx := devnet.Shared(t), t.Context()
	carol, err := net.StartLocked(ctx)
	check(t, err)
	_, err = carol.Lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	if err == nil || !strings.Contains(err.Error(), "wallet locked") {
		t.Errorf("a locked node answers %v", err)
	}
	check(t, carol.Unlock(ctx))
	_, err = carol.Lightning.GetInfo(ctx, &lnrpc.GetInfoRequest{})
	check(t, err)
	check(t, carol.Kill())
}

type cancelAtFirst struct{ cancel context.CancelFunc }

func (c cancelAtFirst) Write(p []byte) (int, error) {
	c.cancel()
	return len(p), nil
}

func TestBuildCanBeInterrupted(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("SANDGLASS_CACHE", cache)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := devnet.Build(ctx, cancelAtFirst{cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted build: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(cache, "devnet", "*", "build-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
