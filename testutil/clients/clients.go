// Package clients runs what others wrote to pay by, each by a small script for Node beside this file:
// the clients are pinned in package.json and package-lock.json, and scripts/test-clients installs
// them.
package clients

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Env is the variable that has tests install and run the clients: 1 if they may.
const Env = "SANDGLASS_TEST_CLIENTS"

// Bounds of what is waited for: they are far above what it takes.
const (
	installTime = 10 * time.Minute
	runTime     = 2 * time.Minute
)

//go:embed *.mjs
var scripts embed.FS

// Clients are installed, with the scripts that use them.
type Clients struct{ dir, node string }

// New installs the clients, unless an earlier test has, and skips a test where they may not be.
func New(t testing.TB) *Clients {
	t.Helper()
	if os.Getenv(Env) == "" {
		t.Skip("no clients of npm are installed here: with Node and npm, set " + Env + "=1")
	}
	installed, err := Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := errors.Join(
		os.CopyFS(dir, scripts), os.Symlink(filepath.Join(installed, "node_modules"), filepath.Join(dir, "node_modules")),
	); err != nil {
		t.Fatal(err)
	}
	return &Clients{dir, filepath.Join(installed, "node")}
}

// Install returns the folder in which the clients are installed.
func Install(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("clients: where the module is: %w", err)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(strings.TrimSpace(string(out)), "scripts", "test-clients"))
	cmd.Stderr = &said
	if out, err = cmd.Output(); err != nil {
		return "", fmt.Errorf("clients: %w\n%s", err, said.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// Axe returns the source of axe-core.
func (c *Clients) Axe() (string, error) {
	source, err := os.ReadFile(filepath.Join(c.dir, "node_modules", "axe-core", "axe.min.js"))
	return string(source), err
}

// Run runs a script, and decodes what it prints. host is the URL of the daemon, in whose place scripts
// know https://host.example.
func (c *Clients) Run(ctx context.Context, host, script string, answer any, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, c.node, append([]string{script}, args...)...)
	cmd.Dir, cmd.Stderr = c.dir, &said
	cmd.Env = append(os.Environ(), "HOST="+host)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, answer)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s%s", script, strings.Join(args, " "), err, out, said.Bytes())
	}
	return nil
}
