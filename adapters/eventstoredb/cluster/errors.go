package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// permanentError is one that another try, or another node, does not mend.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent returns err as one that no other try mends.
func Permanent(err error) error { return permanentError{err} }

// permanent are the codes of gRPC that another try does not mend, with what does.
var permanent = map[codes.Code]string{
	codes.Unauthenticated:  "the user or the password is wrong: mend them in the connection string",
	codes.PermissionDenied: "the user may not do this: let it read $all, and read and write the streams of the namespace",
	codes.Unimplemented:    "the server knows no such call: it has to be EventStoreDB 22.6 or later",
	codes.InvalidArgument:  "the server refuses it as invalid",
}

// Denied reports whether the user lacks the right to what was asked.
func Denied(err error) bool { return status.Code(err) == codes.PermissionDenied }

// Transient reports whether the same call may go well later, or elsewhere: the connection
// broke, the leader moved, the server was slow, the client is dead. It is asked of what
// the client returns and of what [Words] made of it.
func Transient(err error) bool {
	var p permanentError
	return err != nil && !errors.As(err, &p)
}

// Words puts an error of the client into ours. The client's own may stand below others and
// hold gRPC's; those of a subscription are gRPC's alone.
func Words(what string, err error) error {
	advice, known := permanent[status.Code(err)]
	var e *esdb.Error
	if errors.As(err, &e) && e.Code() == esdb.ErrorCodeStreamDeleted {
		advice, known = "the stream was hard-deleted in the store, which Sandglass never does: "+
			"nothing else brings it back: restore a backup", true
	}
	if known {
		return permanentError{fmt.Errorf("eventstoredb: %s: %s: %w", what, advice, err)}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("eventstoredb: %s: %w", what, err)
}
