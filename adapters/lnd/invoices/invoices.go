// Package invoices makes the calls of lnd's invoicesrpc, whose own package would bring half of lnd
// with it: the requests are written by hand, with the numbers of invoices.proto, and of the answers
// only what is used is read.
package invoices

import (
	"context"
	"errors"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
)

const service = "/invoicesrpc.Invoices/"

// Hold is an invoice whose money is held until it is settled or canceled.
type Hold struct {
	Hash   [32]byte // payment_hash, whose preimage settles it. Each is used once, for ever
	Msat   int64
	Memo   string
	Text   []byte // the SHA-256 of what its payer was shown, in place of Memo; or none
	Expiry int64  // in seconds: until then it can be paid
	Blocks int64  // for how many the payer's money can be held: 24 to 65535
}

// Add makes an invoice that is held, and returns it as BOLT 11.
func Add(ctx context.Context, conn grpc.ClientConnInterface, h Hold, opts ...grpc.CallOption) (string, error) {
	var b []byte
	b = text(b, 1, []byte(h.Memo))
	b = text(b, 2, h.Hash[:])
	if len(h.Text) > 0 {
		b = text(b, 4, h.Text)
	}
	b = number(b, 5, uint64(h.Expiry))
	b = number(b, 7, uint64(h.Blocks))
	b = number(b, 9, 1) // private: with hints to channels that nobody was told of
	b = number(b, 10, uint64(h.Msat))
	answer := new(emptypb.Empty)
	if err := conn.Invoke(ctx, service+"AddHoldInvoice", message(b), answer, opts...); err != nil {
		return "", err
	}
	raw := answer.ProtoReflect().GetUnknown()
	field, kind, n := protowire.ConsumeTag(raw)
	request, m := protowire.ConsumeBytes(raw[max(0, n):])
	if n < 0 || field != 1 || kind != protowire.BytesType || m < 0 {
		return "", errors.New("lnd: AddHoldInvoice answers without an invoice")
	}
	return string(request), nil
}

// Settle takes the money that is held for a preimage. Done again it changes nothing.
func Settle(ctx context.Context, conn grpc.ClientConnInterface, preimage [32]byte, opts ...grpc.CallOption) error {
	return conn.Invoke(ctx, service+"SettleInvoice", message(text(nil, 1, preimage[:])), new(emptypb.Empty), opts...)
}

// Cancel ends an invoice, and gives back what is held for it. Done again it changes nothing.
func Cancel(ctx context.Context, conn grpc.ClientConnInterface, hash [32]byte, opts ...grpc.CallOption) error {
	return conn.Invoke(ctx, service+"CancelInvoice", message(text(nil, 1, hash[:])), new(emptypb.Empty), opts...)
}

// Follow calls each with the states of an invoice, the present one first, until it returns false or
// the stream ends, which it does with an error.
func Follow(
	ctx context.Context, conn grpc.ClientConnInterface, hash [32]byte, each func(lnrpc.Invoice_InvoiceState) bool,
	opts ...grpc.CallOption,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, service+"SubscribeSingleInvoice", opts...)
	if err == nil {
		err = stream.SendMsg(message(text(nil, 2, hash[:])))
	}
	if err == nil {
		err = stream.CloseSend()
	}
	for err == nil {
		inv := new(lnrpc.Invoice)
		if err = stream.RecvMsg(inv); err == nil && !each(inv.State) {
			return nil
		}
	}
	return err
}

// message is a message of these bytes: an empty one with fields that it does not know.
func message(b []byte) *emptypb.Empty {
	m := new(emptypb.Empty)
	m.ProtoReflect().SetUnknown(protoreflect.RawFields(b))
	return m
}

func text(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}
