package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
)

// ofOthers are the variables that begin like those of the daemon and are read elsewhere: by
// the commands that ask it, by scripts/demo and scripts/test, and by the nodes of devnet.
var ofOthers = []string{Prefix + "_URL", Prefix + "_HOLDER_KEY", Prefix + "_BIN", Prefix + "_CACHE"}

// ofTests begins the variables of tests, which reach the programs that they start.
const ofTests = Prefix + "_TEST_"

// names returns the variables of the daemon and of the keeper, which may stand in one file.
func names() (list []string) {
	for _, c := range []reflect.Type{reflect.TypeFor[Config](), reflect.TypeFor[Keeper]()} {
		for i := range c.NumField() {
			list = append(list, c.Field(i).Tag.Get("envconfig"))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// checkNames returns an error that lists the variables of the environment that begin like
// ours and are nobody's: whoever misspells one would have the default, and not know it.
func checkNames() error {
	known := append(names(), ofOthers...)
	var unknown []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, Prefix+"_") && !strings.HasPrefix(name, ofTests) && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	var errs []error
	for _, name := range unknown {
		errs = append(errs, errors.New("there is no "+name+": "+advice(name, known)))
	}
	return errors.Join(errs...)
}

// advice says what may have been meant by a name that is not known.
func advice(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "`sandglass serve --print-config` and `sandglass keeper --print-config` list what there is"
}

// nearest returns the known name that begins with a name, or else the one that a typing error
// in each three letters could have made it of; "" if there is none.
func nearest(name string, known []string) string {
	own := strings.TrimPrefix(name, Prefix+"_")
	best, least := "", len(own)/3+1
	for _, k := range known {
		if len(own) > 2 && strings.HasPrefix(k, name) {
			return k
		}
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance returns how many letters are to be added, left out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of what was made of a so far, to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
