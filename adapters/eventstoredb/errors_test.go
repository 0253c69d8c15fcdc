package eventstoredb

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"sandglass/domain/stream"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refusing answers each read, and each subscription after it has begun, with a status.
type refusing struct {
	streams.UnimplementedStreamsServer
	read, subscription codes.Code
}

func (r refusing) Read(req *streams.ReadReq, out streams.Streams_ReadServer) error {
	if req.GetOptions().GetSubscription() != nil {
		err := out.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
			Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "x"},
		}})
		return errors.Join(err, status.Error(r.subscription, "refused"))
	}
	if r.read != codes.OK {
		return status.Error(r.read, "refused")
	}
	return out.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
		StreamNotFound: &streams.ReadResp_StreamNotFound{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("x")},
		},
	}})
}

// What a server refuses for good ends a read and a subscription at once, also where the
// client leaves it unmapped, and a call that is not found is no stream that is empty.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]bool{ // whether another try may go well
		codes.Unauthenticated:  false,
		codes.PermissionDenied: false,
		codes.Unimplemented:    false,
		codes.InvalidArgument:  false,
		codes.NotFound:         true,
		codes.Aborted:          true,
		codes.Internal:         true,
		codes.Canceled:         true,
		codes.Unknown:          true,
		codes.Unavailable:      true,
	} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			s := served(t, refusing{read: code}, nil)
			var err error
			for _, err = range s.Read(t.Context(), "toy-1", 0) {
			}
			if err == nil || errors.Is(err, stream.ErrUnavailable) != want {
				t.Errorf("a read: %v, want %v: %t", err, stream.ErrUnavailable, want)
			}
			if want {
				return // a subscription goes on for ever
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			err = nil
			for _, err = range served(t, refusing{subscription: code}, nil).Subscribe(ctx, 0) {
			}
			if err == nil || errors.Is(err, stream.ErrUnavailable) {
				t.Errorf("a subscription: %v", err)
			}
		})
	}
}

// A subscription that breaks again and again is told of, once.
func TestASubscriptionBreaksEachTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	words := ""
	s := served(t, refusing{subscription: codes.Internal}, func(text string) { words = text; cancel() })
	for _, err := range s.Subscribe(ctx, 0) {
		t.Errorf("it ends with %v", err)
	}
	if !strings.Contains(words, "breaks each time") || !strings.Contains(words, "refused") {
		t.Errorf("it said %q", words)
	}
}

// served returns a store, which was not opened, on a server of one service.
func served(t *testing.T, r refusing, log func(string)) *Store {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	streams.RegisterStreamsServer(server, r)
	go func() { _ = server.Serve(l) }() // it ends with Stop
	t.Cleanup(server.Stop)
	s, err := connect("esdb://"+l.Addr().String()+"?tls=false", Options{Log: log, timeout: 300 * time.Millisecond, discover: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // it has no error to return
	return s
}
