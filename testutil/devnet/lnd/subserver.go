package lnd

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// lnd's own packages for its subservers, routerrpc and invoicesrpc, import its router and
// the state machines of its channels, which no client needs: 22 packages, a quarter of the
// time that it took to compile cmd/devnet with cmd/sandglass. So the few requests that are
// made here are written field by field, with the numbers of router.proto and invoices.proto;
// the answers are messages of lnrpc.

// fields are those of a protobuf message, encoded.
type fields []byte

// varint adds a number, unless it is 0, which protobuf leaves out.
func (f *fields) varint(number protowire.Number, value uint64) {
	if value != 0 {
		f.element(number, value)
	}
}

// element adds a number of a repeated field, which may be 0.
func (f *fields) element(number protowire.Number, value uint64) {
	*f = protowire.AppendVarint(protowire.AppendTag(*f, number, protowire.VarintType), value)
}

// bytes adds bytes, a text or a message, unless it is empty.
func (f *fields) bytes(number protowire.Number, value []byte) {
	if len(value) > 0 {
		*f = protowire.AppendBytes(protowire.AppendTag(*f, number, protowire.BytesType), value)
	}
}

// message is a message with these fields, none of which its type knows.
func (f fields) message() *emptypb.Empty {
	m := new(emptypb.Empty)
	m.ProtoReflect().SetUnknown([]byte(f))
	return m
}

// call makes a call of which only the error is of interest.
func (d *Node) call(ctx context.Context, method string, request fields) error {
	return d.Conn.Invoke(ctx, method, request.message(), new(emptypb.Empty))
}

// follow makes a call that is answered by a stream, which ends with ctx.
func follow[T any](ctx context.Context, d *Node, method string, request fields) (recv func() (*T, error), err error) {
	stream, err := d.Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(stream.SendMsg(request.message()), stream.CloseSend()); err != nil {
		return nil, err
	}
	answers := &grpc.GenericClientStream[emptypb.Empty, T]{ClientStream: stream}
	return answers.Recv, nil
}
