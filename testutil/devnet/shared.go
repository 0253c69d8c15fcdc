package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"sandglass/testutil/devnet/lnd"
)

// shared is the one network of a test binary.
var shared struct {
	mu  sync.Mutex
	net *Network
	err error // of its start, which isn't tried twice
}

// Shared returns the network that all tests of the binary share, and starts it
// for the first of them. What an earlier test did to the nodes is mended, and its
// rivals are closed, but invoices, payments, blocks and what is in the mempool
// stay: count from what you find.
//
// It ends with the binary; [Run] in TestMain makes that orderly.
func Shared(t testing.TB) *Network {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.net == nil && shared.err == nil {
		shared.net, shared.err = Start(context.Background(), Options{Progress: os.Stderr})
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if err := shared.net.CloseRivals(); err != nil {
		t.Fatal(err)
	}
	if err := shared.net.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	return shared.net
}

// Run is a TestMain: it runs the tests and then closes the shared network.
func Run(m *testing.M) {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.net != nil {
		if err := shared.net.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Mend thaws and starts what is frozen or dead of alice and bob, has a wallet that
// can't list its transactions any more read the chain anew, and waits until their
// channel is active. It does nothing to a network that is well.
func (n *Network) Mend(ctx context.Context) error {
	for _, d := range []*lnd.Node{n.Alice, n.Bob} {
		if err := d.Mend(ctx); err != nil {
			return err
		}
	}
	if !n.Alive() {
		return errors.New("btcd has ended: a network can't be mended without its chain")
	}
	return n.WaitChannel(ctx)
}
