package eventstoredb_test

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
)

// A connection string that has the wrong authority, or TLS where there is none, or none where
// there is, is told at once, in words that say which: waiting does not mend it.
func TestTLSThatIsNotAsTheConnectionStringSays(t *testing.T) {
	t.Parallel()
	secure := esdbserver.New(t, esdbserver.Options{Nodes: 3, TLS: true})
	other := esdbserver.New(t, esdbserver.Options{TLS: true})
	plain := esdbserver.New(t, esdbserver.Options{})
	tls := "?tls=true&tlsCAFile="
	hosts := func(c *esdbserver.Cluster) string { return "esdb://ann:sesame@" + strings.Join(c.Addrs(), ",") }
	for name, tc := range map[string]struct{ conn, says string }{
		"another authority":      {hosts(secure) + tls + url.QueryEscape(other.CAFile()), "is of another authority than the file says"},
		"no authority":           {hosts(secure) + "?tls=true", "let tlsCAFile name the authority's file"},
		"TLS where there is not": {hosts(plain) + tls + url.QueryEscape(other.CAFile()), "speaks no TLS"},
		"none where there is":    {hosts(secure) + "?tls=false", "speaks TLS, and the connection string says tls=false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			few := eventstoredb.LooksTimes(eventstoredb.Options{}, 3) // so that no client goes on looking after the test
			for what, do := range map[string]func() error{
				"to make a log": func() error { return eventstoredb.Create(t.Context(), tc.conn, few) },
				"to open one": func() error {
					_, err := eventstoredb.Open(t.Context(), tc.conn, few)
					return err
				},
			} {
				began := time.Now()
				err := do()
				if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "sesame") ||
					errors.Is(err, stream.ErrUnavailable) {
					t.Errorf("%s: %v, want %q", what, err, tc.says)
				}
				if took := time.Since(began); took > 6*time.Second { // half of what a cluster that is away takes
					t.Errorf("%s was refused after %s", what, took)
				}
			}
		})
	}
	t.Run("one of the addresses is of something else", func(t *testing.T) {
		conn := "esdb://" + plain.Addrs()[0] + "," + strings.Join(secure.Addrs(), ",") + tls + url.QueryEscape(secure.CAFile())
		open(t, conn, eventstoredb.Options{Namespace: newLog(t, conn)})
	})
}

// What speaks no TLS in the place of the cluster is no reason to give up a log that was open:
// it is told, and the log is written again when the cluster is back.
func TestSomethingElseAnswersForAWhile(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{TLS: true})
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionString())}, time.Second)
	s := open(t, c.ConnectionString(), o)
	c.GoAway()
	l, err := net.Listen("tcp", c.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) // whoever asks may be gone
			_ = conn.Close()
		}
	}()
	until(t, "it says what answers", func() error {
		if _, err := s.Head(t.Context()); err == nil {
			return errors.New("the head is read")
		}
		err := s.Writable()
		if err == nil || !errors.Is(err, stream.ErrUnavailable) || !strings.Contains(err.Error(), "speaks no TLS") {
			return errors.Join(errors.New("writable"), err)
		}
		return nil
	})
	if err := errors.Join(l.Close(), c.ComeBack()); err != nil {
		t.Fatal(err)
	}
	until(t, "the cluster is back", s.Writable)
}
