package devnet_test

import (
	"os"
	"testing"

	"sandglass/testutil/devnet"
)

func TestStart(t *testing.T) {
	net, err := devnet.Start(t.Context(), devnet.Options{Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(net.Env())
	if err := net.Close(); err != nil {
		t.Fatal(err)
	}
}
