package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/eventstoredb"
	"sandglass/testutil/daemon"
	"sandglass/testutil/esdbserver"
)

// TestQuickTour takes the whole tour on the simulated network, on each store. One after the
// other, since a daemon of the tour takes the port that is the default if it is free.
func TestQuickTour(t *testing.T) {
	t.Parallel()
	t.Run("a file", inAFile)
	t.Run("a cluster", inACluster)
}

// inAFile takes the tour that says what is simulated before anything else, and leaves nothing.
func inAFile(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"demo", "--quick", "--sandglass", daemon.Binary(t)}, &out, os.Stderr); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	said := out.String()
	if !strings.HasPrefix(said, simulated) || !strings.Contains(said, "\n31 of 31 steps were as they should be") {
		t.Errorf("it said\n%s", said)
	}
}

// inACluster takes the tour with the log in a cluster, where it stays.
func inACluster(t *testing.T) {
	users := map[string]string{"ann": "open, sesame"}
	c := esdbserver.New(t, esdbserver.Options{Nodes: 3, TLS: true, Users: users, SystemEvery: 7})
	c.Grant("ann")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(users["ann"]), 0o600); err != nil {
		t.Fatal(err)
	}
	store := strings.Replace(c.ConnectionStringAs(""), "esdb://", "esdb://ann@", 1)
	args := []string{"demo", "--quick", "--sandglass", daemon.Binary(t), "--store", store, "--store-password-file", password}
	var out bytes.Buffer
	if err := run(t.Context(), args, &out, os.Stderr); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	_, rest, there := strings.Cut(out.String(), "the log is in the namespace ")
	if !there || !strings.Contains(rest, "\n31 of 31 steps were as they should be") {
		t.Fatalf("it said\n%s", &out)
	}
	namespace, _, _ := strings.Cut(rest, "\n")
	s, err := eventstoredb.Open(t.Context(), c.ConnectionString(), eventstoredb.Options{Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	if head, err := s.Head(t.Context()); head == 0 || err != nil {
		t.Errorf("the log in %s ends at %d: %v", namespace, head, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestStoreOfATour is about what can be named as the store of a tour.
func TestStoreOfATour(t *testing.T) {
	for _, args := range [][]string{
		{"--store", "sqlite:sandglass.db"},
		{"--store-password-file", "password"},
	} {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"demo", "--quick", "--sandglass", "sandglass"}, args...), &out, &out)
		if err == nil || !strings.Contains(err.Error(), "--store: want the URL of an EventStoreDB") || out.Len() > 0 {
			t.Errorf("%s: %v, %s", args, err, &out)
		}
	}
}

// TestWhereADemoListens is about what can be named as its address.
func TestWhereADemoListens(t *testing.T) {
	for _, address := range []string{"8420", "0.0.0.0:8420", "127.0.0.1:0", "localhost:8420"} {
		var out bytes.Buffer
		err := run(t.Context(), []string{"demo", "--quick", "--sandglass", "sandglass", "--listen", address}, &out, &out)
		if err == nil || !strings.Contains(err.Error(), "--listen: want an address of this machine") || out.Len() > 0 {
			t.Errorf("%s: %v, %s", address, err, &out)
		}
	}
}

// TestQuickLeavesNothing is about the folder of a simulated network.
func TestQuickLeavesNothing(t *testing.T) {
	net, _, err := startQuick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(net.Dir(), "tls.cert")); err != nil {
		t.Error(err)
	}
	if err := net.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(net.Dir()); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", net.Dir(), err)
	}
}
