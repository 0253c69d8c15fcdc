package lnd

import (
	"context"
	"errors"
	"io"
	"strings"

	"sandglass/adapters/lnd/cert"
	"sandglass/adapters/lnd/rights"
	"sandglass/domain/watch"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	adviceLocked = "the wallet is locked: unlock it (lncli unlock), or let lnd do so at its start"
	adviceAbsent = "the wallet is not created yet: create it (lncli create)"
	adviceStarts = "lnd is starting: it is asked again until it is ready"
	adviceDenied = "lnd refuses the macaroon: bake a new one, with the permissions that the documentation names"
	adviceRevoke = "the macaroon was revoked, or is of another node: bake a new one"
	adviceSilent = "lnd does not answer: is it running, and is the address right?"
	adviceChain  = "lnd answers, but not about the chain: is its bitcoind or btcd running?"
	adviceEither = "no answer in time: are lnd, and its bitcoind or btcd, running?"
	adviceNoKit  = "this lnd was built without chainrpc: use a released one, or, if no address was ever given out, " +
		"set SANDGLASS_ON_CHAIN=false"
	adviceCert  = "the TLS certificate is not lnd's: is the path that of its tls.cert?"
	adviceOld   = "lnd has renewed its certificate: copy its tls.cert again, which is taken without a restart"
	adviceEnded = "lnd's certificate is expired: restart lnd, which makes itself a new one, then copy that if this is a copy"
	adviceEarly = "lnd's certificate is not valid yet: is the clock right, here and there?"
	adviceNamed = "lnd's certificate has not this address: add it to lnd (tlsextraip, tlsextradomain), and let it make a new one"
	adviceEmpty = "the macaroon's file is empty: bake it anew, or copy it again"
	adviceFile  = "a file can't be read: is the path right, and may this user read it?"
)

// texts are parts of lnd's errors, nearly all of which have the code Unknown.
var texts = []struct {
	part      string
	condition watch.Condition
	advice    string
}{
	{"wallet locked", watch.Locked, adviceLocked},
	{"wallet not created", watch.Locked, adviceAbsent},
	{"in the process of starting", watch.Starting, adviceStarts},
	{"waiting to start", watch.Starting, adviceStarts},
	{"unknown service lnrpc", watch.Starting, adviceStarts}, // not registered yet
	{"unknown service chainrpc", watch.Denied, adviceNoKit},
	{"permission denied", watch.Denied, adviceDenied},
	{"root key with id", watch.Denied, adviceRevoke},
	{"cannot retrieve macaroon", watch.Denied, adviceRevoke},
	{"verification failed", watch.Denied, adviceRevoke},
	{"not satisfied", watch.Denied, adviceDenied}, // a caveat, such as a time that is over
	{"expected 1 macaroon", watch.Denied, adviceDenied},
	{rights.ErrTooMighty.Error(), watch.Denied, "the macaroon is refused by us"},
	{errEmpty.Error(), watch.Denied, adviceEmpty},
	{"not a macaroon", watch.Denied, "the macaroon's file holds something else"},
	{"no such file or directory", watch.Connecting, adviceFile},
	{"file: permission", watch.Connecting, adviceFile},
	{cert.ErrOutdated.Error(), watch.Connecting, adviceOld},
	{cert.ErrExpired.Error(), watch.Connecting, adviceEnded},
	{cert.ErrEarly.Error(), watch.Connecting, adviceEarly},
	{cert.ErrAddress.Error(), watch.Connecting, adviceNamed},
	{cert.ErrForeign.Error(), watch.Connecting, adviceCert},
	{cert.ErrNone.Error(), watch.Connecting, adviceCert},
	{"x509:", watch.Connecting, adviceCert},
}

// trouble says what an error of a call means. It returns nil for nil.
func trouble(err error) error {
	var known *watch.Trouble
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, io.EOF):
		return &watch.Trouble{Condition: watch.Connecting, Advice: "lnd ended the connection"}
	case errors.Is(err, context.DeadlineExceeded), status.Code(err) == codes.DeadlineExceeded:
		return &watch.Trouble{Condition: watch.Connecting, Advice: adviceSilent, Err: err}
	}
	if t := told(err); t != nil {
		return t
	}
	return &watch.Trouble{Condition: watch.Connecting, Advice: adviceSilent, Err: err}
}

// told returns what an error's text means, or nil.
func told(err error) *watch.Trouble {
	said := status.Convert(err).Message()
	for _, t := range texts {
		if strings.Contains(said, t.part) {
			return &watch.Trouble{Condition: t.condition, Advice: t.advice, Err: err}
		}
	}
	return nil
}

// active returns nil if lnd takes every call.
func active(s lnrpc.WalletState) error {
	switch s {
	case lnrpc.WalletState_SERVER_ACTIVE:
		return nil
	case lnrpc.WalletState_LOCKED:
		return &watch.Trouble{Condition: watch.Locked, Advice: adviceLocked}
	case lnrpc.WalletState_NON_EXISTING:
		return &watch.Trouble{Condition: watch.Locked, Advice: adviceAbsent}
	}
	return &watch.Trouble{Condition: watch.Starting, Advice: adviceStarts}
}
