package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/cli"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestHelp holds every help text against the golden file, and asks each command for an
// example.
func TestHelp(t *testing.T) {
	t.Setenv(cli.EnvURL, "")
	var all bytes.Buffer
	root := rootCmd(&cli.Env{Stdout: &all, Stderr: &all})
	root.SetOut(&all)
	writeHelp(t, root, &all)
	const golden = "testdata/help.golden"
	if *update {
		if err := os.WriteFile(golden, all.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(all.String(), "\n")); diff != "" {
		t.Errorf("help has changed (-want +got): run go test ./cmd/sandglass -run TestHelp -update\n%s", diff)
	}
}

func writeHelp(t *testing.T, cmd *cobra.Command, all *bytes.Buffer) {
	switch cmd.Name() {
	case "completion", "help": // cobra's own
		return
	}
	if cmd.Example == "" || cmd.Short == "" {
		t.Errorf("%s has no example or no short help", cmd.CommandPath())
	}
	all.WriteString("== " + cmd.CommandPath() + "\n")
	if err := cmd.Help(); err != nil {
		t.Fatal(err)
	}
	for _, sub := range cmd.Commands() {
		writeHelp(t, sub, all)
	}
}
