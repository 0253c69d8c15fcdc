package runfiles_test

import (
	"errors"
	"testing"

	"sandglass/adapters/runfiles"
)

func TestOneKeeperAtATime(t *testing.T) {
	f, dir := open(t)
	other, err := runfiles.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept := func(want bool) {
		t.Helper()
		if got, err := other.IsKept(); err != nil || got != want {
			t.Errorf("it is kept: %t, %v", got, err)
		}
	}
	kept(false)
	release, err := f.Keep()
	if err != nil {
		t.Fatal(err)
	}
	kept(true)
	if _, err := other.Keep(); !errors.Is(err, runfiles.ErrKept) {
		t.Error(err)
	}
	kept(true) // asking for it has not let go of it
	if err := release(); err != nil {
		t.Fatal(err)
	}
	kept(false)
	release, err = other.Keep()
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if names, err := f.Founds(); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
}
