package source

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/client"
)

// An auditor asks whom he does not trust.
func TestADaemonShowsACheckpointOfNoLog(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"events":1,"checkpoint":"shop\n1\nAAAA\n","forks":[]}`)
	}))
	defer s.Close()
	cl, err := client.New(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	note, err := shownBy(cl)(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("%q, %v", note, err)
	}
}
