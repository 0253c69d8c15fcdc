package purchase_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kept reads the file of a purchase.
func (s *shop) kept(name string) (k struct {
	URL, Resource, Authorization string
	HolderKey                    string `json:"holder_key"`
	Open                         *struct{ Preimage, Invoice string }
}) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	b, err := os.ReadFile(path)
	s.must(err)
	s.must(json.Unmarshal(b, &k))
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		s.t.Errorf("%v, %v", info, err)
	}
	return k
}

// files returns what is in the folder of the command.
func (s *shop) files() (names []string) {
	s.t.Helper()
	all, err := os.ReadDir(s.dir)
	s.must(err)
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

// TestBuy pays what a daemon asks for by a command, keeps what was bought, and buys more of it.
func TestBuy(t *testing.T) {
	s := open(t)
	pay := s.pays(moneyGoes, tells)
	s.run(s.url, "small", "--time", "2h", "--most", "7200sat", "--pay-with", pay).
		expect(t, "buying", 0, "vm-1", "the-key", s.url+"/r/vm-1", "vm-1.credential", "7,200 sat")
	k := s.kept("vm-1.credential")
	if k.Open != nil || k.HolderKey != "the-key" || !strings.HasPrefix(k.Authorization, "L402 T1/") || k.URL != s.url {
		t.Errorf("%+v", k)
	}
	s.run(s.url, "small", "--time", "2h", "--most", "7200sat", "--pay-with", pay).
		expect(t, "a file that is there already", 1, "vm-1.credential is there already", "--credential")
	s.run("--credential", "vm-1.credential").expect(t, "again", 0, "the-key")
	s.run(s.url, "small", "--time", "2h", "--credential", "vm-1.credential").expect(t, "the same again", 0, "the-key")
	if s.payments() != 1 {
		t.Fatalf("%d payments", s.payments())
	}
	for i := range 2 { // each is another one, of the same
		s.run("--credential", "vm-1.credential", "--time", "1h", "--most", "3600sat", "--pay-with", pay).
			expect(t, "more", 0, "vm-1", "3,600 sat")
		if now := s.kept("vm-1.credential"); s.payments() != i+2 || now != k {
			t.Errorf("%d payments; %+v", s.payments(), now)
		}
	}
	s.run(s.url, "--resource", "vm-1", "--amount", "1000sat", "--credential", "more", "--pay-with", s.pays(moneyGoes, says)).
		expect(t, "an amount, by a wallet that prints text", 0, "1,000 sat", "more")
	cmd := s.command("--credential", "more")
	cmd.Env = append(cmd.Env, "BUY=json")
	out, err := cmd.Output()
	var o struct {
		Key  string `json:"holder_key"`
		File string `json:"credential_file"`
	}
	if err := json.Unmarshal(out, &o); err != nil || o.Key != "the-key" || o.File != "more" {
		t.Errorf("as JSON: %v %v %s", o, err, out)
	}
	s.must(err)
}

// TestThePriceIsAgreedTo before anything is paid: by a bound, or by a person.
func TestThePriceIsAgreedTo(t *testing.T) {
	s := open(t)
	pay := s.pays(moneyGoes, tells)
	for _, test := range []struct {
		name, flags, words string
		status             int
	}{
		{"a script without a bound", "--time 2h", "2h of small costs 7,200 sat: nothing was paid. Give --most 7200000msat to", 1},
		{"above the bound", "--time 2h --most 7199sat", "costs 7,200 sat, and --most is 7,199 sat: nothing was paid", 1},
		{"an amount is its own bound", "--amount 5000", "5 sat", 0},
		{"unless it is above it", "--amount 5000 --most 4sat", "nothing was paid", 1},
	} {
		before := s.payments()
		args := append([]string{s.url, "small", "--pay-with", pay, "--credential", test.name}, strings.Fields(test.flags)...)
		s.run(args...).expect(t, test.name, test.status, test.words)
		if paid := s.payments() - before; paid != 1-test.status || len(s.files()) != s.payments() {
			t.Errorf("%s: %d are paid, %q are kept", test.name, paid, s.files())
		}
	}
	for _, test := range []struct {
		types string
		paid  int
	}{{"n\n", 0}, {"\n", 0}, {"\x04", 0}, {"y\n", 1}} {
		before := s.payments()
		file := fmt.Sprintf("%x", test.types)
		shown := s.atTerminal(test.types, s.url, "small", "--time", "2h", "--credential", file, "--pay-with", pay)
		if !strings.Contains(shown, "2h of small costs 7,200 sat. Pay it? [y/N]") || s.payments()-before != test.paid {
			t.Errorf("%q at a terminal: %d are paid: %s", test.types, s.payments()-before, shown)
		}
	}
}

// atTerminal runs the command at a terminal at which something is typed, and returns what that shows.
func (s *shop) atTerminal(types string, args ...string) string {
	s.t.Helper()
	mine, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	s.must(err)
	defer mine.Close()
	s.must(unix.IoctlSetPointerInt(int(mine.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(mine.Fd()), unix.TIOCGPTN)
	s.must(err)
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	s.must(err)
	cmd := s.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	s.must(cmd.Start())
	s.must(theirs.Close())
	_, err = mine.WriteString(types)
	s.must(err)
	shown, _ := io.ReadAll(mine) // it ends with an error once nobody has the other end
	_ = cmd.Wait()               // what came of it is seen
	return string(shown)
}

// TestWhateverDies before the payment or after it, once or twice: the same command goes on, one invoice is paid once.
func TestWhateverDies(t *testing.T) {
	for name, first := range map[string][]string{
		"before paying": {dies},
		"after paying":  {moneyGoes, dies},
		"no route":      {fails},
		"says nothing":  {moneyGoes},
		"fails, paid":   {moneyGoes, fails},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			buy := func(file string, steps ...string) ran {
				return s.run(s.url, "small", "--time", "2h", "--most", "7200sat", "--credential", file, "--pay-with", s.pays(steps...))
			}
			for range 2 {
				r := buy("f", first...)
				if r.status == 0 || r.status == 1 || r.status == 2 {
					t.Fatalf("it ended with %d: %s%s", r.status, r.out, r.err)
				}
				if k := s.kept("f"); k.Open == nil || k.Open.Invoice == "" || k.Resource != "vm-1" || k.Authorization != "" {
					t.Fatalf("%+v", k)
				}
				if r.status > 0 {
					r.expect(t, name, 3, "the same command with --credential f goes on", "--preimage", map[bool]string{
						true: "it is paid", false: "nothing has arrived",
					}[s.payments() == 1])
				}
			}
			s.run("--credential", "f").expect(t, "without a wallet", 2, "is not paid", "--preimage")
			s.run("--credential", "f", "--most", "1sat", "--pay-with", "{}").expect(t, "with another bound", 1, "--most is 1 sat")
			s.run("--credential", "f", "--time", "3h", "--pay-with", "{}").expect(t, "something else", 1, "not finished")
			buy("f", moneyGoes, tells).expect(t, "at last", 0, "vm-1", "the-key")
			if s.invoices() != 1 || s.payments() != 1 {
				t.Errorf("%d invoices, %d payments", s.invoices(), s.payments())
			}
		})
	}
}

// TestWithoutAFileToBeginWith the one that was made is named, and with that the same command goes on.
func TestWithoutAFileToBeginWith(t *testing.T) {
	s := open(t)
	args := []string{s.url, "small", "--time", "2h", "--most", "7200sat", "--pay-with"}
	s.run(append(args, s.pays(moneyGoes, fails))...).expect(t, "fails, paid", 3,
		"should this be broken off, the same command with --credential vm-1.credential goes on",
		"it is paid: the same command with --credential vm-1.credential goes on", "--credential vm-1.credential --preimage")
	s.run(append(args, s.pays(moneyGoes, tells), "--credential", "vm-1.credential")...).expect(t, "on", 0, "the-key")
	if s.invoices() != 1 || s.payments() != 1 {
		t.Errorf("%d invoices, %d payments", s.invoices(), s.payments())
	}
}

// TestTheDaemonDies after it is paid: what is paid is kept, and had later.
func TestTheDaemonDies(t *testing.T) {
	s := open(t)
	s.now(func(d *daemon) {
		d.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == "" {
				return false
			}
			http.Error(w, "it burns", http.StatusInternalServerError)
			return true
		}
	})
	args := []string{s.url, "small", "--time", "2h", "--most", "7200sat", "--pay-with", s.pays(moneyGoes, tells)}
	s.run(args...).expect(t, "it burns", 3, "500", "sandglass buy --credential vm-1.credential goes on")
	if k := s.kept("vm-1.credential"); len(k.Open.Preimage) != 64 {
		t.Errorf("%+v", k)
	}
	s.run("--credential", "vm-1.credential").expect(t, "still", 3, "it is paid")
	s.now(func(d *daemon) {
		d.answer = func(w http.ResponseWriter, _ *http.Request) bool {
			d.answer = nil
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
	})
	s.run("--credential", "vm-1.credential").expect(t, "it is back, and has yet to hear of it", 0, "the-key")
	if s.invoices() != 1 || s.payments() != 1 {
		t.Errorf("%d invoices, %d payments", s.invoices(), s.payments())
	}
}

// TestWhatNobodyPaid in time is asked for anew, and what is paid is not.
func TestWhatNobodyPaid(t *testing.T) {
	s := open(t)
	buy := func(steps ...string) ran {
		return s.run(s.url, "small", "--time", "2h", "--most", "7200sat", "--credential", "f", "--pay-with", s.pays(steps...))
	}
	buy(dies).expect(t, "it dies", -1)
	s.now(func(d *daemon) { d.status = "expired" })
	buy(fails).expect(t, "anew", 3, "was not paid in time", "no route")
	if s.invoices() != 2 {
		t.Fatalf("%d invoices", s.invoices())
	}
	s.now(func(d *daemon) { d.status = "requested" })
	buy(moneyGoes, dies).expect(t, "paid, and dies", -1)
	s.now(func(d *daemon) { d.status = "expired" })
	buy(fails).expect(t, "what is paid", 3, "it is paid")
	hash := ""
	all, err := filepath.Glob(filepath.Join(s.wallet, "*.paid"))
	s.must(err)
	hash = strings.TrimSuffix(all[0], ".paid")
	preimage, err := os.ReadFile(hash)
	s.must(err)
	s.run("--credential", "f", "--preimage", strings.Repeat("ab", 32)).expect(t, "another preimage", 1, "not the preimage")
	s.run("--credential", "f", "--preimage", string(preimage)).expect(t, "from the wallet", 0, "the-key")
	if s.invoices() != 2 || s.payments() != 1 {
		t.Errorf("%d invoices, %d payments", s.invoices(), s.payments())
	}
}

// TestNotUnderstood has what is wrong, and what is not for this command, told before anything is asked.
func TestNotUnderstood(t *testing.T) {
	s := open(t)
	s.must(os.WriteFile(filepath.Join(s.dir, "other"), []byte("notes\n"), 0o600))
	pay := s.pays(moneyGoes, tells)
	s.run(s.url, "small", "--amount", "5000", "--credential", "mine", "--pay-with", pay).expect(t, "mine", 0)
	asked := s.invoices()
	for _, test := range []struct {
		args, words string
		status      int
	}{
		{"", "want URL and PLAN", 2},
		{"small --time 2h", "is no URL such as https://pay.example.org: want that of the daemon first", 2},
		{"URL", "want PLAN", 2},
		{"URL small", "want --time or --amount", 2},
		{"URL small --resource x --time 2h", "want PLAN", 2},
		{"URL small --time 2h", "want --pay-with", 2},
		{"URL small --time 2h --amount 5", "none of the others can be", 2},
		{"URL small --time 2h --pay-with true", "want {}", 2},
		{"--credential none", "none holds no purchase yet", 2},
		{"--credential mine --resource x", "--resource, --host and --set are of what URL has", 2},
		{"--credential mine --time 1h", "want --pay-with", 2},
		{"--credential mine --preimage ab", "64 hexadecimal digits", 2},
		{"URL small --time 2h --preimage ab", "name it by --credential", 2},
		{"ftp://x small --time 2h --pay-with {}", "is no URL", 2},
		{"--credential other --time 1h --pay-with {}", "is no purchase", 1},
		{"--credential a/b --time 1h --pay-with {}", "no such file", 1},
		{"URL large --time 2h --credential mine --pay-with {}", "has another purchase", 1},
	} {
		args := strings.Fields(strings.Replace(test.args, "URL", s.url, 1))
		s.run(args...).expect(t, test.args, test.status, test.words)
	}
	if files := s.files(); s.invoices() != asked || len(files) != 2 {
		t.Errorf("%d are asked for, %q are kept", s.invoices(), files)
	}
	locked, err := os.Open(filepath.Join(s.dir, "mine"))
	s.must(err)
	defer locked.Close()
	s.must(unix.Flock(int(locked.Fd()), unix.LOCK_EX))
	s.run("--credential", "mine").expect(t, "two at once", 1, "another `sandglass buy` is at it")
}

// TestADaemonThatCheats gets nothing, and has no shell or terminal do something.
func TestADaemonThatCheats(t *testing.T) {
	s := open(t)
	buy := func(words string) {
		t.Helper()
		s.run(s.url, "small", "--time", "2h", "--most", "100000sat", "--pay-with", s.pays(moneyGoes, tells)).expect(t, words, 1, words)
		if s.payments() != 0 || len(s.files()) != 0 {
			t.Errorf("%s: %d payments, %q", words, s.payments(), s.files())
		}
	}
	for _, bad := range []string{
		"lnbcrt73u1q", "lnbcrt72m1q", "LNBCRT72000010P1Q", "lnbcrt721q", "lnbcrt1q", "lnbcrt99999999991q", "lnbc1; exit 0",
	} {
		s.now(func(d *daemon) { d.invoice = bad })
		buy("invoice")
	}
	s.now(func(d *daemon) { d.invoice = invoiceOf(7_200_000, [32]byte{1}) })
	buy("not that of the payment")
	s.now(func(d *daemon) { d.invoice, d.token = "", "T'; exit 0; '" })
	buy("no token")
	for _, bad := range []string{"", "../vm-1", "/etc/passwd", "-f", "x\x1b[2J"} {
		s.now(func(d *daemon) { d.token, d.id = "", bad })
		buy("was not asked for")
	}
	s.now(func(d *daemon) { d.id, d.invoice = "vm-1", "LNBCRT72U1Q" })
	s.run(s.url, "small", "--time", "2h", "--most", "8000sat", "--pay-with", s.pays(moneyGoes, tells)).expect(t, "in capitals", 0)
	s.now(func(d *daemon) {
		d.answer = func(_ http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Authorization")
			return false
		}
	})
	s.run("--credential", "vm-1.credential").expect(t, "asked to pay again", 3, "asks to be paid again, and was not")
	if s.payments() != 1 {
		t.Errorf("%d payments", s.payments())
	}
}

// TestTheSameCommandGoesOn where no file was named: what it began is looked for, and nothing else is taken for that.
func TestTheSameCommandGoesOn(t *testing.T) {
	s := open(t)
	buy := func(time string, steps ...string) ran {
		return s.run(s.url, "small", "--time", time, "--most", "7200sat", "--pay-with", s.pays(steps...))
	}
	if r := buy("2h", moneyGoes, dies); r.status <= 2 && r.status >= 0 {
		t.Fatalf("it ended with %d: %s%s", r.status, r.out, r.err)
	}
	s.must(os.WriteFile(filepath.Join(s.dir, "a.credential"), []byte("no purchase"), 0o600))
	buy("1h", moneyGoes, tells).expect(t, "something else", 1, "vm-1.credential is there already")
	buy("2h", moneyGoes, tells).expect(t, "the same again", 0, "going on with vm-1.credential", "the-key")
	if s.payments() != 1 {
		t.Errorf("%d payments", s.payments())
	}
}
