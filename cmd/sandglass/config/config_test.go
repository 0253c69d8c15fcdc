package config

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestAWrongValueNamesItsVariable(t *testing.T) {
	for name, values := range map[string][]string{
		"SANDGLASS_STORE": {
			"postgres:x", "sqlite:", "esdb:host", "esdb://", "esdb://user@?tls=false", "kurrentdb://host",
		},
		"SANDGLASS_STORE_NAMESPACE":              {"$all", "Upper", "with-dash", "1st", strings.Repeat("x", 41)},
		"SANDGLASS_HOST":                         {"Rack-7", "rack.example.org", "-"},
		"SANDGLASS_LISTEN":                       {"8420", "nowhere:http:1"},
		"SANDGLASS_LND_ADDR":                     {"lnd"},
		"SANDGLASS_LND_ALLOW_SPENDING":           {"perhaps"},
		"SANDGLASS_PAGES":                        {"some"},
		"SANDGLASS_KEEPER_STATE_DIR":             {"signs"},
		"SANDGLASS_SHOP_NAME":                    {" x", "a\nb", strings.Repeat("x", 61)},
		"SANDGLASS_SHOP_COLOR":                   {"red", "#fff", "1f6feb"},
		"SANDGLASS_ON_CHAIN":                     {"often"},
		"SANDGLASS_CONFIRMATIONS":                {"0", "145", "three"},
		"SANDGLASS_FINAL_DEPTH":                  {"2", "10001"},
		"SANDGLASS_SETTLE_EVERY":                 {"0s", "hourly"},
		"SANDGLASS_SWEEP_EVERY":                  {"10ms", "2"},
		"SANDGLASS_MAX_GAP":                      {"30m", "-1h"},
		"SANDGLASS_MAX_STEP":                     {"0s", "2h"},
		"SANDGLASS_BLIND_GRACE":                  {"-1s", "25h", "15"},
		"SANDGLASS_GAP_POLICY":                   {"free"},
		"SANDGLASS_INVOICE_EXPIRY":               {"1s", "9000h"},
		"SANDGLASS_MAX_OPEN_INVOICES":            {"0", "many"},
		"SANDGLASS_MAX_LIVE_STREAMS_PER_ADDRESS": {"-1"},
		"SANDGLASS_FREE_SPACE_FLOOR":             {"-1", "256M"},
		"SANDGLASS_LOG_LEVEL":                    {"loud"},
		"SANDGLASS_METRICS_LISTEN":               {"8421", "127.0.0.1:8420"},
		"SANDGLASS_PUBLIC_URL": {
			"pay.example.org", "//pay.example.org", "ftp://pay.example.org", "https://", "https:///pay", "https://x/?a=b", "https://x/#a",
			"https://me:secret@x/", "https://x//pay", "https://x/pay/../shop", "https://x/pay//", "https://x/a b", "https://x\n/pay",
		},
		"SANDGLASS_CASHU_MINTS": {
			"mint.example.org", "http://mint.example.org", "https://Mint.example.org", "https://mint.example.org.",
			"https://a@mint.example.org",
			"https://mint.example.org?x", "https://mint.example.org/a//b", "https://mint.example.org, ftp://x",
			strings.Repeat("https://mint.example.org,", 17),
		},
		"SANDGLASS_CASHU_PRIVATE_MINTS": {"some"},
		"SANDGLASS_WITNESSES": {
			"https://w.example", "w.example/1+0+key", "https://w.example w.example/1+00000000+BA==", "ftp://w.example " + witnessKey,
			"https://w.example " + witnessKey + ",https://x.example " + witnessKey,
		},
		"SANDGLASS_WITNESS_QUORUM": {"-1", "1", "most"},
		"SANDGLASS_LOG_FORMAT":     {"xml"},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				t.Setenv(name, value)
				_, err := Load()
				if err == nil || !strings.HasPrefix(err.Error(), name+` is "`) || !strings.Contains(err.Error(), "want ") {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestAPublicURL(t *testing.T) {
	for _, value := range []string{
		"https://pay.example.org", "https://pay.example.org/", "https://example.org:8443/pay", "http://[::1]:8420/a/b/",
	} {
		t.Setenv("SANDGLASS_PUBLIC_URL", value)
		if c, err := Load(); err != nil || c.PublicURL != value {
			t.Errorf("%s: %q, %v", value, c.PublicURL, err)
		}
	}
}

func TestMints(t *testing.T) {
	t.Setenv("SANDGLASS_CASHU_MINTS", " https://mint.example.org/,https://example.org:8443/Bitcoin ,")
	c, err := Load()
	if err != nil || !slices.Equal(c.Mints(), []string{"https://mint.example.org", "https://example.org:8443/Bitcoin"}) {
		t.Errorf("%q, %v", c.Mints(), err)
	}
	t.Setenv("SANDGLASS_CASHU_MINTS", "http://127.0.0.1:3338")
	t.Setenv("SANDGLASS_CASHU_PRIVATE_MINTS", "true")
	if c, err := Load(); err != nil || len(c.Mints()) != 1 {
		t.Errorf("a private one: %q, %v", c.Mints(), err)
	}
}

// TestNamesWithoutThePrefixAreOfOthers: many a shell sets HOST.
func TestNamesWithoutThePrefixAreOfOthers(t *testing.T) {
	t.Setenv("HOST", "somewhere")
	t.Setenv("LOG_LEVEL", "loud")
	c, err := Load()
	if err != nil || c.Host != "" || c.LogLevel != "info" {
		t.Errorf("host %q, level %q, %v", c.Host, c.LogLevel, err)
	}
}

func TestPrintConfigHidesSecrets(t *testing.T) {
	t.Setenv("SANDGLASS_STORE", "esdb://ops:sesame@db.example.org:2113?tls=true")
	t.Setenv("SANDGLASS_OPERATOR_TOKEN_FILE", "/run/credentials/operator.token")
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Print(&out, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"SANDGLASS_OPERATOR_TOKEN_FILE  ", "operator.token (contents hidden)",
		"SANDGLASS_SWEEP_EVERY", "2m", "esdb://ops@db.example.org:2113?tls=true",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "sesame") {
		t.Errorf("the password is shown in\n%s", out.String())
	}
}

func TestEachVariableHasItsMeaning(t *testing.T) {
	for _, name := range names() {
		if meanings[name] == "" {
			t.Errorf("%s has none", name)
		}
	}
	if len(meanings) != len(names()) {
		t.Errorf("%d variables, %d meanings", len(names()), len(meanings))
	}
}

func TestTheKeepersSettings(t *testing.T) {
	t.Setenv("SANDGLASS_SYSTEMD_UNITS", " app@.service, vm-*@.service ,")
	t.Setenv("SANDGLASS_STORE", "nonsense") // of the daemon, and none of the keeper's business
	c, err := LoadKeeper()
	if err != nil || !slices.Equal(c.Units(), []string{"app@.service", "vm-*@.service"}) || c.RunDir != "/run/sandglass" {
		t.Errorf("%+v, %v", c, err)
	}
	var out bytes.Buffer
	if err := Print(&out, c); err != nil || !strings.Contains(out.String(), "SANDGLASS_ENFORCERS") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for name, values := range map[string][]string{
		"SANDGLASS_RUN_DIR":   {"run", "/"},
		"SANDGLASS_ENFORCERS": {"enforcers"},
		"SANDGLASS_LOG_LEVEL": {"loud"},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				t.Setenv(name, value)
				if _, err := LoadKeeper(); err == nil || !strings.HasPrefix(err.Error(), name+` is "`) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	t.Setenv("SANDGLASS_UNITS", "x")
	if _, err := LoadKeeper(); err == nil || !strings.Contains(err.Error(), "there is no SANDGLASS_UNITS") {
		t.Errorf("got %v", err)
	}
}

// witnessKey is of a witness.
const witnessKey = "w.example/1+1955112c+BAUIyipDL/yH5T1NTpXKM8Vp1VzydLT6qbPiDtglq2UT"

func TestWitnesses(t *testing.T) {
	t.Setenv("SANDGLASS_WITNESSES", "https://w.example/a "+witnessKey+", ")
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	named, quorum, err := c.CosignedBy()
	if err != nil || quorum != 1 || len(named) != 1 || named[0].Witness.String() != witnessKey {
		t.Errorf("%+v, %d, %v", named, quorum, err)
	}
}
