package keeper

import (
	"bytes"
	"strings"
	"testing"

	"sandglass/adapters/runfiles"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/domain/enforce"
)

// What is lost to the log is told, with why a keeper says that it is down, to the end; and it is
// removed when its operator says so, and nothing else is.
func TestWhatIsLostIsToldAndRemoved(t *testing.T) {
	dir := t.TempDir()
	folder, err := runfiles.Open(dir)
	must(t, err)
	why := strings.Repeat("and so on ", 40) + "to its end"
	for id, lost := range map[string]bool{"web-1": false, "web-2": true} {
		must(t, folder.Write(&enforce.Want{
			ID: id, State: enforce.Down, Enforcer: "process", Boot: "b1", Generation: 4, Plan: "small", Lost: lost,
		}))
		must(t, folder.SaveIs(&enforce.Is{ID: id, State: enforce.Down, Boot: "b1", Generation: 4, Since: 1, Why: why}))
	}
	status := func() string {
		t.Helper()
		r, err := look(config.Keeper{RunDir: dir, BootID: "b1"}, nil)
		must(t, err)
		var out bytes.Buffer
		must(t, r.table(&cli.Env{Stdout: &out}))
		return out.String()
	}
	text := status()
	for _, want := range []string{
		"the log does not know it any more and so on", "to its end\n", "1 lost to the log", `"sandglass keeper remove ID"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	var out bytes.Buffer
	env := &cli.Env{Stdout: &out}
	for id, want := range map[string]string{
		"web-1": "sandglass resource release web-1", "web-3": "nothing is wanted", "../is/web-1": "called",
	} {
		if err := remove(env, folder, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is removed: %v", id, err)
		}
	}
	for range 2 {
		must(t, remove(env, folder, "web-2"))
		if w, err := folder.Want("web-2"); err != nil || w.State != enforce.Gone || !w.Lost || w.Generation != 5 {
			t.Errorf("web-2 is wanted %+v, %v", w, err)
		}
	}
	if w, err := folder.Want("web-1"); err != nil || w.State != enforce.Down {
		t.Errorf("web-1 is wanted %+v, %v", w, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
