package host_test

import (
	"path/filepath"
	"testing"

	"sandglass/cmd/devnet/tour/host"
)

// TestAnAddressIsKept holds that no other tour gets the address of a daemon that does not run just now.
func TestAnAddressIsKept(t *testing.T) {
	urls := map[string]bool{}
	for _, name := range []string{"a", "b", "c"} {
		d, err := host.NewDaemon("sandglass", filepath.Join(t.TempDir(), name), "", nil, host.Store{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		urls[d.URL] = true
	}
	if len(urls) != 3 {
		t.Errorf("three daemons are at %v", urls)
	}
}
