package command_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandglass/adapters/command"
	"sandglass/domain/enforce"
)

// standIn returns a ready-made enforcer whose program is this one, see asStandIn.
func standIn(t *testing.T, name, program string, environ ...string) *command.Enforcer {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, program)); err != nil {
		t.Fatal(err)
	}
	environ = append(environ, "PATH="+bin+":"+os.Getenv("PATH"), "ENFORCER_TEST_STATE="+filepath.Join(bin, "state"))
	e, _ := readyMade(t, name, environ...)
	return e
}

// asStandIn is a program that knows some calls, each of which shows or changes what the one
// resource is, and refuses any other: its exit status is 125.
func asStandIn(name string) int {
	args := strings.Join(os.Args[1:], " ")
	file := os.Getenv("ENFORCER_TEST_STATE")
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 125
	}
	is := string(b) // nothing, or created, running, stopped
	becomes := map[string]map[string]string{
		"wg": {
			"set wg0 peer " + wgKey + " allowed-ips fd12:1:2:3:0baa:2110:91a6:4766/128": "running",
			"set wg0 peer " + wgKey + " remove":                                         "",
		},
		"podman": {
			"create --name sandglass-vm-7 --pull never --env SANDGLASS_RESOURCE --env SANDGLASS_PLAN --env SANDGLASS_HOST " +
				"--env SANDGLASS_PAID_UNTIL --env SANDGLASS_PARAM_* --memory 1g an image": "created",
			"start sandglass-vm-7": "running", "stop --time 29 sandglass-vm-7": "stopped",
			"rm --force --volumes --time 29 sandglass-vm-7": "",
		},
		"incus": {
			"init small sg-vm-7 --profile small --config boot.autostart=false": "created",
			"start sg-vm-7": "running", "stop sg-vm-7 --timeout 29": "stopped", "delete sg-vm-7 --force": "",
		},
	}
	if state, ok := becomes[name][args]; ok {
		if os.WriteFile(file, []byte(state), 0o600) != nil {
			return 125
		}
		return 0
	}
	shows := map[string]string{
		"wg show wg0 peers": map[string]string{"running": wgKey + "\n"}[is], "wg show wg0 public-key": wgKey + "\n",
		"podman container inspect --format {{.State.Status}} {{.State.Pid}} {{.State.ExitCode}} sandglass-vm-7": map[string]string{
			"created": "created 0 0", "running": "running 4711 0", "stopped": "exited 0 143"}[is],
		"incus list --format csv --columns ns": "other,RUNNING\n" + map[string]string{
			"created": "sg-vm-7,STOPPED\n", "running": "sg-vm-7,RUNNING\n", "stopped": "sg-vm-7,STOPPED\n"}[is],
	}
	if shown, ok := shows[name+" "+args]; ok {
		fmt.Print(shown)
		return 0
	}
	if name+" "+args == "podman container exists sandglass-vm-7" {
		if is == "" {
			return 1
		}
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s does not know %q of what is %q\n", name, args, is)
	return 125
}

const wgKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func TestWireGuard(t *testing.T) {
	e := standIn(t, "wireguard", "wg", "ENFORCER_WIREGUARD_PREFIX=fd12:1:2:3", "ENFORCER_WIREGUARD_ENDPOINT=vpn.example.org:51820")
	w := &enforce.Want{ID: "vm-7", Enforcer: "wireguard", Plan: "small", Params: map[string]string{"public_key": wgKey}}
	is(t, e, w, enforce.Gone)
	must(t, e, enforce.Start, w)
	must(t, e, enforce.Start, w)
	access, err := e.Access(within(t, limit), w)
	if err != nil || !strings.Contains(string(access), "Endpoint = vpn.example.org:51820\n") {
		t.Errorf("%s, %v", access, err)
	}
	must(t, e, enforce.Remove, w)
	must(t, e, enforce.Remove, w)
	for _, key := range []string{"", "x", wgKey + "x", "-" + wgKey} {
		w.Params["public_key"] = key
		if err := e.Do(within(t, limit), enforce.Start, w); !errors.Is(err, enforce.ErrRefused) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestPodman(t *testing.T) {
	plans := t.TempDir()
	if err := os.WriteFile(filepath.Join(plans, "small"), []byte("--memory\n1g\nan image"), 0o644); err != nil {
		t.Fatal(err)
	}
	whole(t, standIn(t, "podman", "podman", "ENFORCER_PODMAN_PLANS="+plans), "podman")
}

func TestIncus(t *testing.T) { whole(t, standIn(t, "incus", "incus"), "incus") }

// whole is the life of a resource, each step of it twice.
func whole(t *testing.T, e *command.Enforcer, name string) {
	t.Helper()
	w := &enforce.Want{ID: "vm-7", Enforcer: name, Plan: "small"}
	is(t, e, w, enforce.Gone)
	for _, v := range []enforce.Verb{enforce.Start, enforce.Stop, enforce.Start, enforce.Stop, enforce.Remove} {
		must(t, e, v, w)
		must(t, e, v, w)
	}
}
