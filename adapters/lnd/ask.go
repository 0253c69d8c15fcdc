package lnd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sandglass/domain/watch"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ask makes a call about the chain, with a deadline: lnd passes it on to bitcoind or btcd,
// and hangs while that is away. An error that is no [*watch.Trouble] is an answer to
// this very question, which another one may not get.
func ask[In, Out any](ctx context.Context, c *Client, l *link, limit time.Duration, method string,
	call func(context.Context, *In, ...grpc.CallOption) (*Out, error), in *In) (*Out, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := call(limited, in, l.right())
	if err == nil {
		return answer, nil
	}
	switch t := told(err); {
	case t != nil:
		return nil, c.denied(l, method, t)
	case answered(status.Code(err)):
		return nil, fmt.Errorf("lnd: %s: %w", method, err)
	}
	return nil, c.silent(ctx, trouble(err))
}

// answered reports whether an error with this code came from lnd, or is about its answer.
func answered(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.InvalidArgument, codes.NotFound, codes.OutOfRange, codes.ResourceExhausted:
		return true
	}
	return false
}

// silent says more of an error, if it is that there was no answer in time: is it lnd that
// is silent, or only the chain's node?
func (c *Client) silent(ctx context.Context, err error) error {
	if status.Code(errors.Unwrap(err)) != codes.DeadlineExceeded {
		return err
	}
	switch other := c.awake(ctx); {
	case other == nil:
		return &watch.Trouble{Condition: watch.Syncing, Advice: adviceChain, Err: errors.Unwrap(err)}
	case ctx.Err() == nil && status.Code(errors.Unwrap(other)) != codes.DeadlineExceeded:
		return other
	}
	return &watch.Trouble{Condition: watch.Connecting, Advice: adviceEither, Err: errors.Unwrap(err)}
}

// denied names the right that is missing, if it is one.
func (c *Client) denied(l *link, method string, err error) error {
	t, ok := errors.AsType[*watch.Trouble](err)
	if !ok || t.Advice != adviceDenied {
		return err
	}
	setting := "SANDGLASS_LND_WATCH_MACAROON"
	if l == c.issue {
		setting = "SANDGLASS_LND_ISSUE_MACAROON"
	}
	advice := fmt.Sprintf("lnd refuses %s to the macaroon of %s: "+
		"bake a new one with the rights for payments on the chain, as the documentation says, "+
		"or set SANDGLASS_ON_CHAIN=false", method, setting)
	return &watch.Trouble{Condition: watch.Denied, Advice: advice, Err: t.Err}
}
