// Package invoices serves what is used here of lnd's invoicesrpc, whose own package would bring
// half of lnd with it: the messages are read by hand, with the numbers of invoices.proto.
package invoices

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// CancelMethod is the one method that is served.
const CancelMethod = "/invoicesrpc.Invoices/CancelInvoice"

// Register has a server answer CancelInvoice by cancel, which takes a payment_hash.
func Register(server *grpc.Server, cancel func(hash []byte) error) {
	answer := func(_ context.Context, in any) (any, error) {
		number, kind, n := protowire.ConsumeTag(in.(*emptypb.Empty).ProtoReflect().GetUnknown())
		hash, m := protowire.ConsumeBytes(in.(*emptypb.Empty).ProtoReflect().GetUnknown()[max(0, n):])
		if number != 1 || kind != protowire.BytesType || m < 0 {
			return nil, status.Error(codes.InvalidArgument, "want a payment_hash")
		}
		return new(emptypb.Empty), cancel(hash)
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "invoicesrpc.Invoices",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "CancelInvoice",
			Handler: func(srv any, ctx context.Context, read func(any) error, guard grpc.UnaryServerInterceptor) (any, error) {
				in := new(emptypb.Empty)
				if err := read(in); err != nil {
					return nil, err
				}
				return guard(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: CancelMethod}, answer)
			},
		}},
	}, nil)
}
