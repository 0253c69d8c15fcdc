package operator_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/operator"
)

// TestStatusSaysWhatIsMissing, and fails while something is.
func TestStatusSaysWhatIsMissing(t *testing.T) {
	for _, tc := range []struct {
		status      int
		body, shows string
		fails       bool
	}{
		{200, `{"ready":true,"components":[{"name":"wallet","ready":true,"state":"ready"}]}`, "wallet  yes    ready", false},
		{503, `{"ready":false,"components":[{"name":"wallet","ready":false}]}`, "wallet  no     -", true},
		{503, `{"components":[{"name":"wallet","state":"locked","advice":"unlock it","since":"2026-01-02T03:04:05.678Z"}]}`,
			"wallet  no     locked  2026-01-02 03:04:05 UTC  unlock it", true},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tc.status)
			fmt.Fprint(w, tc.body)
		}))
		t.Setenv(cli.EnvURL, s.URL)
		var out bytes.Buffer
		env := &cli.Env{Stdout: &out}
		cmd := operator.StatusCmd(env)
		env.AddFlags(cmd)
		cmd.SetArgs(nil)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.Execute(); (err != nil) != tc.fails || !strings.Contains(out.String(), tc.shows) {
			t.Errorf("of %s: %v, %s", tc.body, err, out.String())
		}
		s.Close()
	}
}
