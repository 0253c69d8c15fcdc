package cli

import "testing"

func TestBefore(t *testing.T) {
	for _, typed := range []string{"a", "web-1", "0"} {
		if got := before(typed); got >= typed {
			t.Errorf("%q does not come before %q", got, typed)
		}
	}
}
