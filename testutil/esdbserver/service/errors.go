package service

import (
	"context"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Fail answers with a status and trailers, in pairs, as the server words them: the client
// goes by the trailers.
func Fail(ctx context.Context, code codes.Code, text string, trailers ...string) error {
	if len(trailers) > 0 {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(trailers...)) // only a call that is over refuses it
	}
	return status.Error(code, text)
}

func streamDeleted(ctx context.Context, stream string) error {
	return Fail(ctx, codes.FailedPrecondition, "Event stream '"+stream+"' is deleted.",
		"exception", "stream-deleted", "stream-name", stream)
}

func wrongExpectedVersion(ctx context.Context, stream string, expected, actual int64) error {
	want, got := strconv.FormatInt(expected, 10), strconv.FormatInt(actual, 10)
	return Fail(ctx, codes.FailedPrecondition,
		"Append failed due to WrongExpectedVersion. Stream: "+stream+", Expected version: "+want+", Actual version: "+got,
		"exception", "wrong-expected-version", "stream-name", stream, "expected-version", want, "actual-version", got)
}

func appendTooBig(ctx context.Context) error {
	limit := strconv.Itoa(maxAppendSize)
	return Fail(ctx, codes.InvalidArgument, "Maximum Append Size of "+limit+" Exceeded.",
		"exception", "maximum-append-size-exceeded", "maximum-append-size", limit)
}

func missingProperty(ctx context.Context, name string) error {
	return Fail(ctx, codes.InvalidArgument, "Required Metadata Property '"+name+"' is missing",
		"exception", "missing-required-metadata-property", "required-metadata-properties", "type,content-type")
}

// AccessDenied is the answer to a user without the right to what was asked.
func AccessDenied(ctx context.Context) error {
	return Fail(ctx, codes.PermissionDenied, "Access Denied", "exception", "access-denied")
}

func invalidArgument(text string) error { return status.Error(codes.InvalidArgument, text) }

// errCut is how a read ends that a test cuts.
var errCut = status.Error(codes.Unavailable, "esdbserver: the test cuts this call")

func tooSlow() error {
	return status.Error(codes.Aborted,
		"Operation timed out: Consumer too slow to handle event while live. Client resubscription required.")
}
