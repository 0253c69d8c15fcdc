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
	events := source(t, "domain/payment/event.go")
	text, err := os.ReadFile(events)
	if err != nil {
		t.Fatal(err)
	}
	now := regexp.MustCompile(`"payment\.settled\.v(\d)"`).FindSubmatch(text)
	if now == nil {
		t.Fatalf("%s names no payment.settled", events)
	}
	kind = fmt.Sprintf("payment.settled.v%c", now[1][0]+1)
	return tomorrows(t, map[string][]string{
		events: {`"payment\.settled\.v\d"`, `"` + kind + `"`, `case "` + kind + `":`, `case "` + kind + `", ` + string(now[0]) + `:`},
	}), kind
}

// NewerRequests is Newer for what nobody has paid: it keeps requests in a cluster in their next
// version, which it returns too, and reads those of the present one.
func NewerRequests(t testing.TB) (bin, kind string) {
	t.Helper()
	const dir = "adapters/eventstoredb/requests/"
	return tomorrows(t, map[string][]string{
		source(t, dir+"requests.go"): {`"kept\.v1"`, `"kept.v2"`},
		source(t, dir+"follow.go"):   {`e\.EventType != keptType`, `e.EventType != keptType && e.EventType != ours+"kept.v1"`},
	}), "request.kept.v2"
}

// source returns where a file of the module is.
func source(t testing.TB, path string) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sandglass").Output()
	if err != nil {
		t.Fatalf("where the module is: %v", err)
	}
	return filepath.Join(string(root[:len(root)-1]), path)
}

// tomorrows builds this sandglass with replacements in some of its files, as v9.9.9.
func tomorrows(t testing.TB, replacements map[string][]string) (bin string) {
	t.Helper()
	dir, overlay := t.TempDir(), map[string]string{}
	replacements[source(t, "cmd/sandglass/buildinfo/buildinfo.go")] = []string{`info\.Main\.Version`, `"v9.9.9"`}
	for path, in := range replacements {
		overlay[path] = changed(t, dir, path, in...)
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
	return bin
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
