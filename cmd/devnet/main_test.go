package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandglass/testutil/devnet"
)

// TestMain runs tests, or is the server that a tour rents out.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "app" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestDevnet acts on a running devnet as a user in another terminal does.
func TestDevnet(t *testing.T) {
	file := filepath.Join(t.TempDir(), "devnet.json")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var table bytes.Buffer // ours again once up has ended
	go func() { ended <- run(ctx, []string{"up", "--info", file}, &table, os.Stderr) }()
	info := waitInfo(t, file)
	net, err := devnet.Attach(info)
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	actOn(t, net, file)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("up ended with %v", err)
	}
	for _, setting := range net.Env() {
		name, value, _ := strings.Cut(setting, "=")
		if line := "export " + name + "='" + value + "'\n"; !strings.Contains(table.String(), line) {
			t.Errorf("up didn't print %q", line)
		}
	}
	for _, path := range []string{file, info.Dir} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

func actOn(t *testing.T, net *devnet.Network, file string) {
	t.Helper()
	invoice, err := net.Alice.Invoice(t.Context(), 21_000, "tea")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.Alice.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, says, fails string }{
		{"pay " + invoice.PaymentRequest, "bob paid 21000 msat", ""},
		{"pay " + invoice.PaymentRequest, "", "already paid"},
		{"keysend --resource vm-1 --msat 5000", "bob paid 5000 msat", ""},
		{"keysend --resource vm-1", "", `"msat" not set`},
		{"send " + addr + " 100000", "", ""},
		{"send " + addr + " 100000", "", ""}, // its coin must be another
		{"send " + addr + " -- -1", "", "no amount"},
		{"mine 2", "mined 2 blocks", ""},
		{"reorg 2", "replaced the last 2 blocks by 3 others", ""},
		{"reorg none", "", "no number of blocks"},
		{"up", "", "runs already"},
		{"build", net.Info().Lncli, ""},
	} {
		said := new(bytes.Buffer)
		err := run(t.Context(), append([]string{"--info", file}, strings.Fields(tc.args)...), said, os.Stderr)
		if tc.fails != "" && (err == nil || !strings.Contains(err.Error(), tc.fails)) {
			t.Errorf("devnet %s: %v, want an error with %q", tc.args, err, tc.fails)
		}
		if tc.fails == "" && (err != nil || !strings.Contains(said.String(), tc.says)) {
			t.Errorf("devnet %s: %v, %q, want %q", tc.args, err, said, tc.says)
		}
	}
}

func waitInfo(t *testing.T, file string) (info devnet.Info) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // it may have to build
	defer cancel()
	err := devnet.Until(ctx, "devnet is up", func(context.Context) error {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, &info)
	})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestNoDevnet(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone.json")
	if err := os.WriteFile(gone, []byte(`{"pid": 999999999}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{
		filepath.Join(dir, "none.json"): "no devnet is known",
		gone:                            "has ended",
	} {
		err := run(t.Context(), []string{"mine", "1", "--info", file}, os.Stdout, os.Stderr)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", file, err, says)
		}
	}
}
