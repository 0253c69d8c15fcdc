package wallet

import "sandglass/domain/codec"

// former returns a blank event of a version that is not written any more.
func former(kind string) Event {
	if kind == "wallet.swept.v1" {
		return new(sweptV1)
	}
	return nil
}

// sweptV1 was written when the cursor moved. When the sweep began, which saw all that came
// before, it did not tell.
type sweptV1 struct {
	At
	Settle int64
	Add    int64
}

// Type implements [stream.Fact].
func (*sweptV1) Type() string { return "wallet.swept.v1" }

// Fields implements [codec.Fielder].
func (e *sweptV1) Fields(f *codec.Fields) {
	codec.Int(f, "settle_index", &e.Settle)
	codec.Int(f, "add_index", &e.Add)
}

// Upcast implements [stream.Former].
func (e *sweptV1) Upcast() Event { return &Swept{At: e.At, Settle: e.Settle, Add: e.Add} }
