package eventstoredb_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"
)

// real is the variable that holds the connection string of a real server, which the
// contract is then tested against too: its streams begin with a new namespace each time,
// and stay.
const real = "SANDGLASS_TEST_ESDB"

// patience bounds each step of a test that would else hang, far above what it takes on a
// loaded machine too.
const patience = 2 * time.Minute

func TestContract(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]esdbserver.Options{
		"one node":                           {},
		"three nodes, with TLS and users":    {Nodes: 3, TLS: true, Users: map[string]string{"ann": "open, sesame"}},
		"one node, beside what others write": {SystemEvery: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := esdbserver.New(t, options)
			c.Grant("ann") // no more than she needs
			contract(t, c.ConnectionString())
		})
	}
}

// The contract holds for who begins at a follower, which lags, and stays where it is told to,
// and for whom the leader moves again and again.
func TestContractWithFollowers(t *testing.T) {
	t.Parallel()
	for name, moves := range map[string]bool{"beginning at a follower": false, "while the leader moves": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := esdbserver.New(t, esdbserver.Options{Nodes: 3})
			if moves {
				var appends atomic.Int64
				c.OnAppend(func(string) esdbserver.Fault {
					if appends.Add(1)%17 == 0 {
						c.MoveLeader()
					}
					return esdbserver.None
				})
			}
			contract(t, c.ConnectionString()+"&nodePreference=follower")
		})
	}
}

// TestContractOnARealServer is TestContract on the server that the environment names.
func TestContractOnARealServer(t *testing.T) {
	conn := os.Getenv(real)
	if conn == "" {
		t.Skipf("there is no real server here: %s can hold the connection string of one", real)
	}
	contract(t, conn)
}

func contract(t *testing.T, conn string) {
	storetest.Run(t, storetest.Harness{New: func(t *testing.T, _ func() instant.Time) storetest.Opener {
		namespace := newLog(t, conn)
		return func() (stream.EventStore, io.Closer) {
			s := open(t, conn, eventstoredb.Options{Namespace: namespace})
			return s, s
		}
	}})
}

// newLog makes an empty log and returns its namespace.
func newLog(t testing.TB, conn string) string {
	t.Helper()
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	namespace := "test_" + hex.EncodeToString(id[:])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := eventstoredb.Create(ctx, conn, eventstoredb.Options{Namespace: namespace}); err != nil {
		t.Fatal(err)
	}
	return namespace
}

// open opens a log until the test ends; closing it before does no harm.
func open(t testing.TB, conn string, o eventstoredb.Options) *eventstoredb.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := eventstoredb.Open(ctx, conn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
