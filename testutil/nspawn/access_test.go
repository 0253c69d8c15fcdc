package nspawn_test

import (
	"fmt"
	"strings"
)

// asks has a user ask the keeper how a resource is reached, and returns the line that it answers: none if
// it hangs up.
func (r *rig) asks(user, id string) string {
	r.t.Helper()
	return r.run(fmt.Sprintf(`exec setpriv --reuid=%s --regid=%[1]s --init-groups perl -MIO::Socket::UNIX -e '
$SIG{PIPE} = "IGNORE"; $s = IO::Socket::UNIX->new(Peer => "/run/sandglass/is/.keeper.sock") or do { print "no: $!"; exit };
print $s "{\"access\":\"%[2]s\"}\n"; print <$s>'`, user, id))
}

// isReached holds that how a resource is reached is what its unit left, and told to the daemon's user alone.
func (r *rig) isReached(id string) {
	r.t.Helper()
	if got, want := r.asks("sandglass", id), fmt.Sprintf(`{"text":"%s.example.org port 22\n"}`, id); got != want {
		r.t.Errorf("the daemon is told %s, want %s", got, want)
	}
	for user, want := range map[string]string{"root": "", "sandglass-keeper": "", "mail": "no: Permission denied"} {
		if got := r.asks(user, id); got != want {
			r.t.Errorf("%s is told %q, want %q", user, got, want)
		}
	}
	for _, user := range []string{"mail", "sandglass"} {
		r.run(fmt.Sprintf("! setpriv --reuid=%s --regid=nogroup --clear-groups cat /run/sandglass/access/%s", user, id))
	}
	said := r.run("journalctl --sync && journalctl -o cat -u sandglass-keeper")
	if strings.Count(said, "asks how a resource is reached") != 2 {
		r.t.Errorf("it says nothing of who was refused:\n%s", said)
	}
}

// isNotReached holds that nothing is told of a resource that is down, and nothing is left of it.
func (r *rig) isNotReached(id string) {
	r.t.Helper()
	r.run("! test -e /run/sandglass/access/" + id)
	if got := r.asks("sandglass", id); got != `{"refused":"not_up"}` {
		r.t.Errorf("the daemon is told %s", got)
	}
}
