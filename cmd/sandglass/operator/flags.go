package operator

import (
	"fmt"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/money"
	"sandglass/domain/plan"
)

// parseDeep reads an amount and the confirmations that are asked for above it, such as
// 1000000sat:6.
func parseDeep(s string) (wire.Deep, error) {
	above, confirmations, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(confirmations, 10, 8)
	if err != nil || n < 1 || n > plan.MaxConfirmations {
		return wire.Deep{}, fmt.Errorf("%q is not an amount and the confirmations above it: "+
			"want 1000000sat:6, with 1 to %d confirmations", s, plan.MaxConfirmations)
	}
	amount, err := money.ParseMsat(above)
	return wire.Deep{Above: amount, Confirmations: int64(n)}, err
}

// The flags of these types say in their help what they take, and keep what was given.
type (
	shareFlag struct{ ppm int64 }
	deepFlag  struct{ wire.Deep }
)

func (f *shareFlag) Set(s string) (err error) { f.ppm, err = money.ParsePercent(s); return err }
func (f *shareFlag) Type() string             { return "share" }
func (f *shareFlag) String() string {
	if f.ppm == 0 {
		return ""
	}
	return money.Percent(f.ppm)
}

func (f *deepFlag) Set(s string) (err error) { f.Deep, err = parseDeep(s); return err }
func (f *deepFlag) Type() string             { return "amount:count" }
func (f *deepFlag) String() string {
	if f.Confirmations == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", f.Above, f.Confirmations)
}
