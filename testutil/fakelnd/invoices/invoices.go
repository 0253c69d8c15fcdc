// Package invoices serves what is used here of lnd's invoicesrpc, whose own package would bring
// half of lnd with it: the messages are read by hand, with the numbers of invoices.proto.
package invoices

import (
	"context"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
)

const service = "invoicesrpc.Invoices"

// The methods that are served.
const (
	AddHoldMethod = "/" + service + "/AddHoldInvoice"
	SettleMethod  = "/" + service + "/SettleInvoice"
	CancelMethod  = "/" + service + "/CancelInvoice"
	FollowMethod  = "/" + service + "/SubscribeSingleInvoice"
)

// Node is what answers.
type Node interface {
	// AddHold makes an invoice, of which Memo, RHash, DescriptionHash, ValueMsat, Expiry, CltvExpiry
	// and Private are set, and returns it as BOLT 11.
	AddHold(in *lnrpc.Invoice) (request string, err error)
	SettleHeld(preimage []byte) error
	CancelHeld(hash []byte) error
	// FollowInvoice sends an invoice, and again whenever it changes, until it is at its end.
	FollowInvoice(ctx context.Context, hash []byte, send func(*lnrpc.Invoice) error) error
}

// Register has a server answer by a node.
func Register(server *grpc.Server, n Node) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			method("AddHoldInvoice", func(f fields) (*emptypb.Empty, error) {
				request, err := n.AddHold(&lnrpc.Invoice{
					Memo: string(f.text[1]), RHash: f.text[2], DescriptionHash: f.text[4], Expiry: int64(f.number[5]), CltvExpiry: f.number[7],
					Private: f.number[9] == 1, ValueMsat: int64(f.number[10]),
				})
				answer := new(emptypb.Empty)
				raw := protowire.AppendTag(nil, 1, protowire.BytesType)
				answer.ProtoReflect().SetUnknown(protoreflect.RawFields(protowire.AppendString(raw, request)))
				return answer, err
			}),
			method("SettleInvoice", func(f fields) (*emptypb.Empty, error) { return new(emptypb.Empty), n.SettleHeld(f.text[1]) }),
			method("CancelInvoice", func(f fields) (*emptypb.Empty, error) { return new(emptypb.Empty), n.CancelHeld(f.text[1]) }),
		},
		Streams: []grpc.StreamDesc{{
			StreamName: "SubscribeSingleInvoice", ServerStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error {
				in := new(emptypb.Empty)
				if err := stream.RecvMsg(in); err != nil {
					return err
				}
				f, err := parse(in)
				if err != nil {
					return err
				}
				return n.FollowInvoice(stream.Context(), f.text[2], func(inv *lnrpc.Invoice) error { return stream.SendMsg(inv) })
			},
		}},
	}, nil)
}

// method is a call that is answered by its fields.
func method(name string, do func(fields) (*emptypb.Empty, error)) grpc.MethodDesc {
	answer := func(_ context.Context, in any) (any, error) {
		f, err := parse(in.(*emptypb.Empty))
		if err != nil {
			return nil, err
		}
		return do(f)
	}
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(srv any, ctx context.Context, read func(any) error, guard grpc.UnaryServerInterceptor) (any, error) {
			in := new(emptypb.Empty)
			if err := read(in); err != nil {
				return nil, err
			}
			return guard(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + service + "/" + name}, answer)
		},
	}
}

// fields are those of a message, by number.
type fields struct {
	text   map[protowire.Number][]byte
	number map[protowire.Number]uint64
}

func parse(in *emptypb.Empty) (fields, error) {
	f := fields{map[protowire.Number][]byte{}, map[protowire.Number]uint64{}}
	for raw := in.ProtoReflect().GetUnknown(); len(raw) > 0; {
		field, kind, n := protowire.ConsumeTag(raw)
		m := 0
		switch {
		case n < 0:
		case kind == protowire.BytesType:
			f.text[field], m = protowire.ConsumeBytes(raw[n:])
		case kind == protowire.VarintType:
			f.number[field], m = protowire.ConsumeVarint(raw[n:])
		default:
			n = -1
		}
		if n < 0 || m < 0 {
			return f, status.Error(codes.InvalidArgument, "a message that can't be read")
		}
		raw = raw[n+m:]
	}
	return f, nil
}
