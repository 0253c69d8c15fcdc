package cli

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
)

// The flags of these types say in their help what they take, and keep what was given.
type (
	AmountFlag struct{ money.Msat }
	TimeFlag   struct{ instant.Millis }
)

func (f *AmountFlag) Set(s string) (err error) { f.Msat, err = money.ParseMsat(s); return err }
func (f *AmountFlag) Type() string             { return "amount" }
func (f *AmountFlag) String() string {
	if f.Msat == 0 {
		return ""
	}
	return f.Msat.String()
}

func (f *TimeFlag) Set(s string) (err error) { f.Millis, err = money.ParseTime(s); return err }
func (f *TimeFlag) Type() string             { return "time" }
func (f *TimeFlag) String() string {
	if f.Millis == 0 {
		return ""
	}
	return f.Millis.InUnits()
}
