package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAMisspeltVariableIsRefused(t *testing.T) {
	const list = "`sandglass serve --print-config` and `sandglass keeper --print-config` list what there is"
	for name, want := range map[string]string{
		"SANDGLASS_CONFIRMATION":  "did you mean SANDGLASS_CONFIRMATIONS?",
		"SANDGLASS_CONFRIMATIONS": "did you mean SANDGLASS_CONFIRMATIONS?",
		"SANDGLASS_LNDADDR":       "did you mean SANDGLASS_LND_ADDR?",
		"SANDGLASS_LOGLEVEL":      "did you mean SANDGLASS_LOG_LEVEL?",
		"SANDGLASS_OPERATOR":      "did you mean SANDGLASS_OPERATOR_TOKEN_FILE?",
		"SANDGLASS_HOLDERKEY":     "did you mean SANDGLASS_HOLDER_KEY?",
		"SANDGLASS_listen":        list,
		"SANDGLASS_PUBLICURL":     "did you mean SANDGLASS_PUBLIC_URL?",
		"SANDGLASS_":              list,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "6")
			_, err := Load()
			if want = "there is no " + name + ": " + want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestAllMisspeltVariablesAreListed(t *testing.T) {
	t.Setenv("SANDGLASS_SWEEPEVERY", "1m")
	t.Setenv("SANDGLASS_HOSTS", "")
	t.Setenv("SANDGLASS_LOG_FORMAT", "xml")
	_, err := Load()
	const want = "there is no SANDGLASS_HOSTS: did you mean SANDGLASS_HOST?\n" +
		"there is no SANDGLASS_SWEEPEVERY: did you mean SANDGLASS_SWEEP_EVERY?\n" +
		`SANDGLASS_LOG_FORMAT is "xml": want json or console`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want\n%s", err, want)
	}
}

func TestVariablesOfOtherProgramsPass(t *testing.T) {
	for _, name := range append(ofOthers, ofTests+"STORE", "SANDGLASSES", "XSANDGLASS_URL") {
		t.Setenv(name, "of theirs")
	}
	if _, err := Load(); err != nil {
		t.Error(err)
	}
}

// TestWhatIsInstalledSetsKnownVariables: in the unit, and in the example of its settings,
// where what is commented out is there to be used.
func TestWhatIsInstalledSetsKnownVariables(t *testing.T) {
	for file, line := range map[string]*regexp.Regexp{
		"sandglass.env.example": regexp.MustCompile(`(?m)^#?(SANDGLASS_\w+)=(.*)$`),
		"sandglass.service":     regexp.MustCompile(`(?m)^Environment=(SANDGLASS_\w+)=(.*)$`),
	} {
		text := read(t, file)
		settings := line.FindAllStringSubmatch(text, -1)
		if len(settings) != strings.Count(text, "SANDGLASS_") {
			t.Errorf("%s: %d settings, and other lines that name some", file, len(settings))
		}
		for _, s := range settings {
			t.Run(s[1]+"="+s[2], func(t *testing.T) {
				t.Setenv(s[1], s[2])
				if _, err := Load(); err != nil || !slices.Contains(names(), s[1]) {
					t.Errorf("in %s: %v", file, err)
				}
			})
		}
	}
}

// TestWhatLndRenewsIsReadWhereItLies: what systemd hands over at the start would be outdated.
// So the daemon may read it, and it alone.
func TestWhatLndRenewsIsReadWhereItLies(t *testing.T) {
	unit := read(t, "sandglass.service")
	for name, file := range map[string]string{
		"SANDGLASS_LND_TLS_CERT":       "lnd-tls.cert",
		"SANDGLASS_LND_WATCH_MACAROON": "watch.macaroon",
		"SANDGLASS_LND_ISSUE_MACAROON": "issue.macaroon",
	} {
		path := "/etc/sandglass/" + file
		if !strings.Contains(unit, "\nEnvironment="+name+"="+path+"\n") || strings.Contains(unit, ":"+path) {
			t.Errorf("the unit does not have %s read in /etc/sandglass", file)
		}
		installed := regexp.MustCompile(`(?m)^ +install -m 640 -g sandglass .*` + regexp.QuoteMeta(file))
		for _, page := range []string{"MANUAL.md", "../README.md"} {
			if !installed.MatchString(read(t, page)) {
				t.Errorf("%s installs %s with other rights", page, file)
			}
		}
	}
	if !strings.Contains(unit, "\nLoadCredential=operator.token:/etc/sandglass/operator.token\n") {
		t.Error("the operator's token is not handed over")
	}
}

// toldToResources are the variables that enforcers and what they start find in their environment.
var toldToResources = []string{
	"SANDGLASS_RESOURCE", "SANDGLASS_PLAN", "SANDGLASS_PAID_UNTIL", "SANDGLASS_PARAM_SSH_KEY", "SANDGLASS_TIMEOUT",
}

// TestTheManualHasEveryVariable: and none that there is not, but for the one of an error.
func TestTheManualHasEveryVariable(t *testing.T) {
	text := read(t, "MANUAL.md")
	for _, name := range names() {
		if !strings.Contains(text, "\n| `"+name+"` |") {
			t.Errorf("%s has no row", name)
		}
	}
	for _, name := range regexp.MustCompile(`SANDGLASS_[A-Z_]*[A-Z]\b`).FindAllString(text, -1) {
		known := slices.Contains(slices.Concat(names(), ofOthers, toldToResources), name)
		if !known && name != "SANDGLASS_CONFIRMATION" && name+"_" != ofTests {
			t.Errorf("there is no %s", name)
		}
	}
}

func read(t *testing.T, name string) string {
	b, err := os.ReadFile("../../../systemd/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
