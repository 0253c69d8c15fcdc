package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/testutil/daemon"
	"sandglass/testutil/devnet"
	"sandglass/testutil/esdbserver"
)

// manual are the commands of the manual's chapter on backups, in their order.
type manual struct {
	*shore
	lines  []string
	folder string // that /mnt/backup stands for
	more   []string
}

// backups reads the chapter.
func backups(s *shore) *manual {
	s.t.Helper()
	text, err := os.ReadFile("../../systemd/MANUAL.md")
	s.must(err)
	_, chapter, _ := strings.Cut(string(text), "\n## Backups\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	m := &manual{shore: s, folder: s.t.TempDir()}
	chapter = strings.ReplaceAll(chapter, "\\\n", "")
	for _, line := range regexp.MustCompile(`(?m)^ {4,}[a-zA-Z_]+[ =].*$`).FindAllString(chapter, -1) {
		m.lines = append(m.lines, strings.TrimSpace(line))
	}
	bin := s.t.TempDir()
	s.must(os.Symlink(daemon.Binary(s.t), filepath.Join(bin, "sandglass")))
	m.more = []string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	return m
}

// do runs the next command of the chapter, which begins so, in place of what stands for
// something, and returns what it says.
func (m *manual) do(begins string, instead ...string) string {
	m.t.Helper()
	if len(m.lines) == 0 || !strings.HasPrefix(m.lines[0], begins) {
		m.t.Fatalf("the manual goes on with %q, not with %q", m.lines, begins)
	}
	line := m.lines[0]
	m.lines = m.lines[1:]
	if name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "="); ok && strings.HasPrefix(line, "export ") {
		m.more = append(m.more, name+"="+strings.ReplaceAll(value, "/var/lib/sandglass", m.Dir))
		return ""
	}
	out, err := m.sh(line, instead...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s\n%s", line, err, out, m.Log())
	}
	return out
}

// sh runs a command of the manual.
func (m *manual) sh(line string, instead ...string) (string, error) {
	for i := 0; i < len(instead); i += 2 {
		line = strings.ReplaceAll(line, instead[i], instead[i+1])
	}
	line = strings.NewReplacer("/var/lib/sandglass", m.Dir, "/mnt/backup", m.folder).Replace(line)
	switch line {
	case "systemctl stop sandglass":
		m.Kill() // the power failed
		return "", nil
	case "systemctl start sandglass":
		m.Start()
		m.WaitReady(m.ctx)
		return "", nil
	}
	ctx, cancel := daemon.Step(m.ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = m.folder, append(m.Env[:len(m.Env):len(m.Env)], m.more...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestABackupIsRestored follows the manual's chapter on backups: what was paid since the backup,
// on both rails, is credited or names the resource that it was meant for, and what only the log
// knew is told.
func TestABackupIsRestored(t *testing.T) {
	t.Run("from a file", func(t *testing.T) { restoring(t, 3, "SANDGLASS_STORE=sqlite:sandglass.db") })
	t.Run("into a cluster", func(t *testing.T) { // where what was asked for is not in the backup
		c := esdbserver.New(t, esdbserver.Options{SystemEvery: 20})
		restoring(t, 4, append(daemon.Clustered(c), "SANDGLASS_LATE_REQUESTS=0s")...)
	})
}

// paying is what was paid to a resource, by key.
type paying struct {
	resource string
	amount   money.Msat
}

// restoring restores a log, with which the requests of so many payments are lost.
func restoring(t *testing.T, unknown int, env ...string) {
	s := newShore(t, env...)
	shared := !strings.HasPrefix(env[0], "SANDGLASS_STORE=sqlite")
	all := map[string]paying{}
	pays := func(id string, p wire.Payment) {
		s.pay(p.Request)
		all[p.Key] = paying{id, p.Asked}
	}
	deposits := func(id string, sat int64) *devnet.Tx {
		tx := s.sends(id, sat)
		all[key(tx, 0)] = paying{id, money.Msat(sat) * money.Sat}
		return tx
	}
	pays("web-1", *s.order("web-1", instant.Hour).Payment)
	s.status("web-1", "running")
	first := deposits("web-1", 20_000)
	open := s.order("web-4", instant.Hour) // paid after the backup
	s.mine(3)
	s.becomes(first, 0, "credited")

	m := backups(s)
	m.do("export SANDGLASS_STATE_DIR")
	m.do("sandglass store backup")
	m.do("sandglass store check")
	m.copies(shared)

	// More is paid, and said.
	pays("web-4", *open.Payment)
	topUp, err := s.Client().Fund(s.ctx, "web-1", wire.FundRequest{Time: instant.Minute})
	s.must(err)
	pays("web-1", topUp)
	pays("web-2", *s.order("web-2", 2*instant.Hour).Payment)
	old, lost := deposits("web-1", 30_000), deposits("web-3", 40_000)
	s.mine(3)
	s.becomes(old, 0, "credited")
	s.becomes(lost, 0, "credited")
	s.status("web-2", "running")
	s.status("web-4", "running")
	_, err = s.Client().Grant(s.ctx, "web-1", wire.GrantRequest{Key: "outage", Time: instant.Day, Reason: "it's yours"})
	s.must(err)
	_, err = s.Client().Pause(s.ctx, "web-1")
	s.must(err)

	m.restores(shared)
	m.do("sandglass audit replay")
	m.finds(s.address("web-3"), lost)
	told := m.restored()
	for _, want := range []string{
		"sandglass resource grant web-1 --time 1d --key outage --reason 'it'\\''s yours'", "sandglass resource pause web-1",
		"sandglass address adopt " + s.address("web-3") + " --to web-3 --lost", "resource-web-2: resource.opened.v1",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("it is not told what is lost: %s\n%s", want, told)
		}
	}
	m.do("sh restored.sh")
	s.status("web-1", "paused")
	s.becomes(lost, 0, "unallocated")
	out := m.do("sandglass audit reconcile")
	if !strings.Contains(out, "\n0 differences\n") {
		t.Error(out)
	}
	m.do("sandglass address adopt", "ADDRESS", s.address("web-3"), "ID", "web-3") // again
	m.gives(all, unknown)
	m.accounts(all)
	s.audit()
	if !shared {
		m.lines = m.lines[2:]
	}
	if len(m.lines) > 0 {
		t.Errorf("the manual goes on with %q", m.lines)
	}
}

// copies does what the manual says of copying a file.
func (m *manual) copies(shared bool) {
	if shared {
		m.lines = m.lines[2:]
		return
	}
	m.do("SANDGLASS_STORE=sqlite:/mnt/backup/copy.db sandglass init")
	m.do("sandglass store copy")
}

// restores stops the daemon, restores, and starts it.
func (m *manual) restores(shared bool) {
	m.t.Helper()
	m.do("systemctl stop")
	if !shared {
		m.losesRequests()
		m.do("sandglass store restore --dry-run")
		m.do("sandglass store restore")
		m.do("systemctl start")
		return
	}
	other := len(m.lines) - 2
	start := m.lines[2:other]
	m.lines = m.lines[other:]
	m.do("export SANDGLASS_STORE_NAMESPACE")
	m.do("sandglass store restore --newer")
	m.Env = append(m.Env, m.more[len(m.more)-1])
	m.lines = start
	m.do("systemctl start")
}

// finds reconciles, which lists a deposit to an address that is lost, and no difference.
func (m *manual) finds(addr string, tx *devnet.Tx) {
	m.t.Helper()
	out, err := m.sh("sandglass audit reconcile --json")
	m.must(err)
	if !strings.Contains(out, addr) || !strings.Contains(out, key(tx, 0)) || !strings.Contains(out, `"count": 0`) {
		m.t.Errorf("a deposit of %s to %s is not found: %s", tx.Txid, addr, out)
	}
}

// restored returns the script that restoring wrote.
func (m *manual) restored() string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.folder, "restored.sh"))
	m.must(err)
	return string(text)
}

// gives has those who ordered since order again, and gives each payment to the resource that it
// is meant for: so many of them, since their requests are lost.
func (m *manual) gives(all map[string]paying, unknown int) {
	m.t.Helper()
	list := m.do("sandglass unallocated list")
	give := m.lines[0]
	m.lines = m.lines[1:]
	page, err := m.Client().Unallocated(m.ctx, "", 0)
	m.must(err)
	given := 0
	for _, p := range page.Payments {
		want, ours := all[p.Key]
		if !ours {
			continue // of another test on this network
		}
		given++
		if p.Resource != want.resource || p.Amount != want.amount || !strings.Contains(list, p.Key) {
			m.t.Errorf("%s of %s is meant for %q, and was for %q", p.Key, p.Amount, p.Resource, want.resource)
		}
		if _, err := m.Client().Resource(m.ctx, p.Resource); err != nil {
			m.pay(m.order(p.Resource, instant.Minute).Payment.Request)
			m.Until(m.ctx, p.Resource+" is there", func() error {
				r, err := m.Client().Resource(m.ctx, p.Resource)
				if err == nil && r.Credited == 0 {
					err = fmt.Errorf("it is %s", r.Status)
				}
				return err
			})
		}
		if out, err := m.sh(give, "KEY", p.Key, "ID", p.Resource); err != nil {
			m.t.Errorf("%s: %v\n%s", give, err, out)
		}
	}
	if given != unknown {
		m.t.Errorf("%d payments were unallocated, and the requests of %d are lost: %s", given, unknown, list)
	}
}

// accounts wants each payment with the resource that it was for.
func (m *manual) accounts(all map[string]paying) {
	m.t.Helper()
	for key, want := range all {
		p, err := m.Client().Payment(m.ctx, key)
		if err != nil || p.Status != "credited" || p.Resource != want.resource || p.Amount != want.amount {
			m.t.Errorf("%s: %+v, %v, want %+v", key, p, err, want)
		}
	}
}

// losesRequests loses what was asked for since the backup, as when of the disk the log alone can
// be read.
func (m *manual) losesRequests() {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.Dir, "requests.db*"))
	m.must(err)
	if len(files) == 0 {
		m.t.Error("there are no requests")
	}
	for _, file := range files {
		m.must(os.Remove(file))
	}
}
