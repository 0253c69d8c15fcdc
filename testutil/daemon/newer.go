package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Newer builds a sandglass of tomorrow, which calls itself v9.9.9: it is this one, but that it
// writes payment.settled in its next version, which it returns too. It reads the present one as
// well.
func Newer(t testing.TB) (bin, kind string) {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sandglass").Output()
	if err != nil {
		t.Fatalf("where the module is: %v", err)
	}
	dir, module := t.TempDir(), string(root[:len(root)-1])
	events := filepath.Join(module, "domain/payment/event.go")
	names := filepath.Join(module, "cmd/sandglass/buildinfo/buildinfo.go")
	source, err := os.ReadFile(events)
	if err != nil {
		t.Fatal(err)
	}
	now := regexp.MustCompile(`"payment\.settled\.v(\d)"`).FindSubmatch(source)
	if now == nil {
		t.Fatalf("%s names no payment.settled", events)
	}
	kind = fmt.Sprintf("payment.settled.v%c", now[1][0]+1)
	overlay := map[string]string{
		events: changed(t, dir, events, `"payment\.settled\.v\d"`, `"`+kind+`"`,
			`case "`+kind+`":`, `case "`+kind+`", `+string(now[0])+`:`),
		names: changed(t, dir, names, `info\.Main\.Version`, `"v9.9.9"`),
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	bin = filepath.Join(dir, "sandglass-newer")
	build := exec.Command("go", "build", "-trimpath", "-overlay", list, "-o", bin, "sandglass/cmd/sandglass")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the daemon of tomorrow: %v\n%s", err, out)
	}
	return bin, kind
}

// changed writes a source with replacements of patterns, each of which it must hold, and
// returns where.
func changed(t testing.TB, dir, path string, replacements ...string) string {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replacements); i += 2 {
		pattern := regexp.MustCompile(replacements[i])
		if !pattern.Match(source) {
			t.Fatalf("%s holds no %s", path, pattern)
		}
		source = pattern.ReplaceAllLiteral(source, []byte(replacements[i+1]))
	}
	to := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(to, source, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
