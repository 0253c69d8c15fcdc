package lnd

import (
	"context"
	"errors"
	"io"
	"strings"

	"sandglass/domain/payment"

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
	adviceNoKit  = "this lnd was built without chainrpc: use a released one, or set SANDGLASS_ON_CHAIN=false"
	adviceCert   = "the TLS certificate is not lnd's: is the path that of its tls.cert, and is the address in it?"
	adviceFile   = "a file can't be read: is the path right, and may this user read it?"
)

// texts are parts of lnd's errors, nearly all of which have the code Unknown.
var texts = []struct {
	part      string
	condition payment.Condition
	advice    string
}{
	{"wallet locked", payment.Locked, adviceLocked},
	{"wallet not created", payment.Locked, adviceAbsent},
	{"in the process of starting", payment.Starting, adviceStarts},
	{"waiting to start", payment.Starting, adviceStarts},
	{"unknown service lnrpc", payment.Starting, adviceStarts}, // not registered yet
	{"unknown service chainrpc", payment.Denied, adviceNoKit},
	{"permission denied", payment.Denied, adviceDenied},
	{"root key with id", payment.Denied, adviceRevoke},
	{"cannot retrieve macaroon", payment.Denied, adviceRevoke},
	{"verification failed", payment.Denied, adviceRevoke},
	{"not satisfied", payment.Denied, adviceDenied}, // a caveat, such as a time that is over
	{"expected 1 macaroon", payment.Denied, adviceDenied},
	{errTooMighty.Error(), payment.Denied, "the macaroon is refused by us"},
	{"not a macaroon", payment.Denied, "the macaroon's file holds something else"},
	{"no such file or directory", payment.Connecting, adviceFile},
	{"file: permission", payment.Connecting, adviceFile},
	{"x509:", payment.Connecting, adviceCert},
	{"holds no certificate", payment.Connecting, adviceCert},
}

// trouble says what an error of a call means. It returns nil for nil.
func trouble(err error) error {
	var known *payment.Trouble
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, io.EOF):
		return &payment.Trouble{Condition: payment.Connecting, Advice: "lnd ended the connection"}
	case errors.Is(err, context.DeadlineExceeded), status.Code(err) == codes.DeadlineExceeded:
		return &payment.Trouble{Condition: payment.Connecting, Advice: adviceSilent, Err: err}
	}
	if t := told(err); t != nil {
		return t
	}
	return &payment.Trouble{Condition: payment.Connecting, Advice: adviceSilent, Err: err}
}

// told returns what an error's text means, or nil.
func told(err error) *payment.Trouble {
	said := status.Convert(err).Message()
	for _, t := range texts {
		if strings.Contains(said, t.part) {
			return &payment.Trouble{Condition: t.condition, Advice: t.advice, Err: err}
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
		return &payment.Trouble{Condition: payment.Locked, Advice: adviceLocked}
	case lnrpc.WalletState_NON_EXISTING:
		return &payment.Trouble{Condition: payment.Locked, Advice: adviceAbsent}
	}
	return &payment.Trouble{Condition: payment.Starting, Advice: adviceStarts}
}
