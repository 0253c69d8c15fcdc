package eventstoredb_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sandglass/adapters/eventstoredb"
	"sandglass/adapters/eventstoredb/requests"
	"sandglass/domain/stream"
	"sandglass/testutil/esdbserver"
	"sandglass/testutil/storetest"
)

// To make a log is refused, and nothing is made, until the user has all the rights that the
// daemon needs: what is missing is named, all of it at once.
func TestALogIsMadeOnlyWithAllRights(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{TLS: true, Users: map[string]string{"ann": "open, sesame"}})
	const noAll = "read $all forwards, nor read $all backwards, nor subscribe to $all, which the daemon has to"
	const write, read = "write to the streams shop.…", "read the streams shop.…"
	const readMeta = "read the metadata of the streams shop.…"
	const sign, signed = "write to the stream shop-checkpoints", "read the stream shop-checkpoints"
	list := func(r, mr, w string) string {
		return `{"$userStreamAcl":{"$r":"` + r + `","$w":"` + w + `","$d":"$admins","$mr":"` + mr + `","$mw":"$admins"}}`
	}
	for _, tc := range []struct{ all, settings, says string }{
		{"$admins", list("$all", "$all", "$all"), "the user may not " + noAll},
		{
			"$admins", list("$admins", "$admins", "$admins"),
			"the user may not " + read + ", nor " + readMeta + ", nor " + write + ", nor " + signed + ", nor " + sign + ", nor " + noAll,
		},
		{"ann", list("$all", "$all", "$admins"), "the user may not " + write + ", nor " + sign + ", which"},
		{"ann", list("$admins", "$all", "$all"), "the user may not " + read + ", nor " + signed + ", which"},
		{"ann", list("$all", "$admins", "$all"), "the user may not " + readMeta + ", which"},
		{"ann", list("ann", "ann", "ann"), ""},
	} {
		c.Write("$$$all", "$metadata", `{"$acl":{"$r":"`+tc.all+`"}}`)
		c.Write("$settings", "settings", tc.settings)
		err := eventstoredb.Create(t.Context(), c.ConnectionString(), eventstoredb.Options{Namespace: "shop"})
		switch {
		case tc.says == "" && err != nil:
			t.Errorf("with all rights: %v", err)
		case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "sesame")):
			t.Errorf("%s, %s: %v, want %q", tc.all, tc.settings, err, tc.says)
		}
	}
	err := eventstoredb.Create(t.Context(), c.ConnectionString(), eventstoredb.Options{Namespace: "shop"})
	if err == nil || !strings.Contains(err.Error(), "holds a log already") {
		t.Errorf("a log that is there: %v", err)
	}
}

// Who may only read reads on after the cluster was away, and writes nothing.
func TestWhoMayOnlyRead(t *testing.T) {
	t.Parallel()
	c := esdbserver.New(t, esdbserver.Options{TLS: true, Users: map[string]string{esdbserver.Admin: "x", "auditor": "a"}})
	c.Grant("auditor")
	c.Write("$settings", "settings", `{"$userStreamAcl":{"$r":"$all","$w":"$admins","$d":"$admins","$mr":"$all","$mw":"$admins"}}`)
	o := eventstoredb.Impatient(eventstoredb.Options{Namespace: newLog(t, c.ConnectionStringAs(esdbserver.Admin))}, time.Second)
	writer := open(t, c.ConnectionStringAs(esdbserver.Admin), o)
	o.ReadOnly = true
	s := open(t, c.ConnectionStringAs("auditor"), o)
	events := storetest.Events("toy-1", stream.NoStream, "x", 1)
	for _, err := range []error{s.Writable(), s.Import(t.Context(), nil)} {
		if !errors.Is(err, stream.ErrReadOnly) {
			t.Errorf("it says %v, not %v", err, stream.ErrReadOnly)
		}
	}
	if _, err := s.Append(t.Context(), "toy-1", stream.NoStream, events); !errors.Is(err, stream.ErrReadOnly) {
		t.Errorf("an append: %v, not %v", err, stream.ErrReadOnly)
	}
	c.GoAway()
	until(t, "it is away", func() error {
		if _, err := s.Head(t.Context()); !errors.Is(err, stream.ErrUnavailable) {
			return fmt.Errorf("the head is read: %w", err)
		}
		return nil
	})
	if err := c.ComeBack(); err != nil {
		t.Fatal(err)
	}
	until(t, "the writer writes", func() error {
		_, err := writer.Append(t.Context(), "toy-1", stream.NoStream, events)
		return err
	})
	until(t, "the reader reads", func() error {
		if head, err := s.Head(t.Context()); head == 0 || err != nil {
			return fmt.Errorf("head %d: %w", head, err)
		}
		return nil
	})
}

// The commands of the manual give the user sandglass what the daemon needs, and no more, and
// the user auditor what reading the store needs.
func TestTheManualGivesTheRights(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../systemd/MANUAL.md")
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]string{"sandglass": "s", "auditor": "a", "other": "o"}
	c := esdbserver.New(t, esdbserver.Options{TLS: true, Users: users})
	writes := regexp.MustCompile(`(?m)^    event /streams/(\S+) '?(\$?[a-z]+)'? '([^']+)'$`)
	commands := writes.FindAllStringSubmatch(string(manual), -1)
	if len(commands) != 4 {
		t.Fatalf("%d commands in the manual write events, want 4", len(commands))
	}
	for _, cmd := range commands {
		stream := strings.ReplaceAll(cmd[1], "%24", "$")
		if of, metadata := strings.CutSuffix(stream, "/metadata"); metadata {
			stream = "$$" + of
		}
		c.Write(stream, cmd[2], cmd[3])
	}
	o := eventstoredb.Options{}
	for _, user := range []string{"auditor", "other"} {
		if err := eventstoredb.Create(t.Context(), c.ConnectionStringAs(user), o); err == nil {
			t.Errorf("%s makes a log", user)
		}
	}
	if err := eventstoredb.Create(t.Context(), c.ConnectionStringAs("sandglass"), o); err != nil {
		t.Fatal(err)
	}
	events := storetest.Events("toy-1", stream.NoStream, "x", 1)
	daemon := open(t, c.ConnectionStringAs("sandglass"), o)
	if _, err := daemon.Append(t.Context(), "toy-1", stream.NoStream, events); err != nil {
		t.Error(err)
	}
	if advice, err := daemon.Advice(t.Context()); advice != "" || err != nil {
		t.Errorf("of the checkpoints it says %q, %v", advice, err)
	}
	audited := open(t, c.ConnectionStringAs("auditor"), o)
	for recs, err := range audited.Subscribe(t.Context(), 0) {
		if err != nil || len(recs) != 1 {
			t.Errorf("the auditor reads %d records, %v", len(recs), err)
		}
		break
	}
	if _, err := audited.Append(t.Context(), "toy-1", 0, storetest.Events("toy-1", 0, "x", 1)); err == nil {
		t.Error("the auditor appends")
	}
	if _, err := eventstoredb.Open(t.Context(), c.ConnectionStringAs("other"), o); err == nil {
		t.Error("another user opens the log")
	}
	beside, err := requests.Open(t.Context(), c.ConnectionStringAs("sandglass"), eventstoredb.DefaultNamespace, requests.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	if advice, err := beside.Advice(t.Context()); advice != "" || err != nil {
		t.Errorf("the streams of requests: %q, %v", advice, err)
	}
}
