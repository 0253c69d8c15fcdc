package esdbserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sandglass/testutil/esdbserver/eventlog"
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
	name, password := credentialsOf(header)
	want, ok := c.options.Users[name]
	return ok && want == password
}

// credentialsOf returns what a header of basic authentication says.
func credentialsOf(header string) (name, password string) {
	code, ok := strings.CutPrefix(header, "Basic ")
	plain, err := base64.StdEncoding.DecodeString(code)
	if !ok || err != nil {
		return "", ""
	}
	name, password, _ = strings.Cut(string(plain), ":")
	return name, password
}

// Admin is the user that may do everything. It is in the group $admins, and no other is.
const Admin = "admin"

// Names implements [service.Node].
func (n *node) Names(ctx context.Context) (names []string, needed bool) {
	if len(n.cluster.options.Users) == 0 {
		return nil, false
	}
	in, _ := metadata.FromIncomingContext(ctx)
	for _, header := range in.Get("authorization") { // admit has checked it
		name, _ := credentialsOf(header)
		names = append(names, name)
		if name == Admin {
			names = append(names, "$admins")
		}
	}
	return names, true
}

// Grant gives users the right to read the log, and to read and write all streams but the
// server's own; it takes the latter from all others but [Admin].
func (c *Cluster) Grant(users ...string) {
	names, err := json.Marshal(append([]string{"$admins"}, users...))
	if err != nil {
		panic(err) // texts always have JSON
	}
	c.Write("$$$all", "$metadata", fmt.Sprintf(`{"$acl":{"$r":%s}}`, names))
	c.Write("$settings", "settings",
		fmt.Sprintf(`{"$userStreamAcl":{"$r":%[1]s,"$w":%[1]s,"$d":"$admins","$mr":%[1]s,"$mw":"$admins"}}`, names))
}

// Write writes an event of JSON to a stream, as an administrator does in the server's pages:
// metadata, or the lists of who may do what.
func (c *Cluster) Write(stream, kind, data string) { c.WriteWith(stream, kind, data, "") }

// WriteWith is Write of an event with metadata.
func (c *Cluster) WriteWith(stream, kind, data, meta string) {
	c.log.Append(stream, eventlog.AnyRevision, []eventlog.Proposal{{
		ID:   eventlog.NewID(),
		Kind: eventlog.KindKey{Name: kind, ContentType: eventlog.ContentJSON},
		Data: []byte(data),
		Meta: []byte(meta),
	}})
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
