package esdbserver

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sandglass/testutil/esdbserver/service"
)

// admit is what stands before each call. Gossip and the features are for anyone: the
// client sends no password with them.
func (c *Cluster) admit(ctx context.Context, method string) error {
	if err := c.faults.PassStall(ctx); err != nil {
		return err
	}
	if len(c.options.Users) == 0 || !strings.HasPrefix(method, "/event_store.client.streams.Streams/") {
		return nil
	}
	in, _ := metadata.FromIncomingContext(ctx)
	header := in.Get("authorization")
	if len(header) == 0 {
		return service.AccessDenied(ctx)
	}
	if !c.knows(header[0]) {
		return status.Error(codes.Unauthenticated, "Bad HTTP status code: 401: the user or the password is wrong")
	}
	return nil
}

// knows reports whether a header of basic authentication names one of the users.
func (c *Cluster) knows(header string) bool {
	code, ok := strings.CutPrefix(header, "Basic ")
	plain, err := base64.StdEncoding.DecodeString(code)
	if !ok || err != nil {
		return false
	}
	name, password, _ := strings.Cut(string(plain), ":")
	want, ok := c.options.Users[name]
	return ok && want == password
}

func (c *Cluster) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	defer c.calls.begin()()
	if err := c.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (c *Cluster) streaming(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	defer c.calls.begin()()
	if err := c.admit(stream.Context(), info.FullMethod); err != nil {
		if info.IsClientStream {
			drain(stream)
		}
		return err
	}
	return handler(srv, stream)
}

// drain takes all that a client sends, so that it sees the status of its call, and not
// that it could send no more.
func drain(stream grpc.ServerStream) {
	for stream.RecvMsg(new(shared.Empty)) == nil { // fields that it doesn't know are no error
	}
}
