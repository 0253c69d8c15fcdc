package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/adapters/httpapi/wire"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/fakelnd"
)

// token is the operator's, whose calls no limit slows down.
const token = "the-operator-of-a-bench-host"

// daemon is a sandglass in a process of its own.
type daemon struct {
	*client.Client
	addr   string // of its API
	cmd    *exec.Cmd
	ended  chan struct{}
	stderr bytes.Buffer // to be read once ended is closed
}

// startDaemon starts a daemon on a log, with a wallet that may be away.
func startDaemon(b *harness.Bench, log string, wallet *fakelnd.Lnd) (*daemon, error) {
	dir := filepath.Dir(log)
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
		return nil, err
	}
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	d := &daemon{addr: listen, cmd: exec.Command(b.Sandglass, "serve"), ended: make(chan struct{})}
	d.cmd.Env = append(os.Environ(),
		"SANDGLASS_STORE=sqlite:"+log,
		"SANDGLASS_STATE_DIR="+dir,
		"SANDGLASS_LISTEN="+listen,
		"SANDGLASS_LOG_LEVEL=warn",
		"SANDGLASS_OPERATOR_TOKEN_FILE="+filepath.Join(dir, "token"),
		"SANDGLASS_MAX_LIVE_STREAMS_PER_ADDRESS=512",
		"SANDGLASS_LND_ADDR="+wallet.Addr,
		"SANDGLASS_LND_TLS_CERT="+wallet.TLSCert,
		"SANDGLASS_LND_WATCH_MACAROON="+wallet.WatchMacaroon,
		"SANDGLASS_LND_ISSUE_MACAROON="+wallet.IssueMacaroon,
	)
	d.cmd.Stderr = &d.stderr
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if d.Client, err = client.New("http://"+listen, token); err != nil {
		return nil, err
	}
	d.Client = d.Over(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}})
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the daemon: %w: build it, or name it with --sandglass", err)
	}
	go func() {
		_ = d.cmd.Wait() // how it ended is told by its log
		close(d.ended)
	}()
	return d, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// kill ends the daemon at once, and leaves its snapshot as it was.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // it may have ended by itself
	<-d.ended
}

// until waits for components of the daemon to be ready: the named one, or all.
func (d *daemon) until(ctx context.Context, component string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := d.Ready(ctx)
		if err == nil && ready(&r, component) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the daemon does not become ready: %+v", r.Components), ctx.Err(), err)
		case <-d.ended:
			return fmt.Errorf("the daemon ended: %s", d.stderr.String())
		}
	}
}

func ready(r *wire.Ready, component string) bool {
	for _, c := range r.Components {
		if c.Name == component && c.Ready {
			return true
		}
	}
	return r.Ready
}
