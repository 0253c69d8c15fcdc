package fakelnd

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc"
)

// faults are how the node misbehaves.
type faults struct {
	nativeSQL  bool
	drop       int // live settlements that nobody is told of
	repeat     int // how often each settlement is told
	fail       map[string][]error
	loseAnswer map[string]int
	hang       map[string]bool
	minPing    time.Duration
}

func (f *faults) pingEvery() time.Duration { return max(f.minPing, time.Millisecond) }

// Drop keeps the next n settlements from those who listen, as happens to a healthy
// subscriber when another one leaves at that instant.
func (l *Lnd) Drop(n int) { l.change(func() { l.faults.drop = n }) }

// Repeat has each settlement told n times.
func (l *Lnd) Repeat(n int) { l.change(func() { l.faults.repeat = n }) }

// NativeSQL makes it an lnd with the native SQL store: its backlog of settlements comes
// in the order of rows, with AMP's at the end, and a keysend that is paid again keeps
// its settle_index.
func (l *Lnd) NativeSQL() { l.change(func() { l.faults.nativeSQL = true }) }

// Fail has the next calls of a method, such as "ListInvoices", fail, one for each error.
func (l *Lnd) Fail(method string, errs ...error) {
	l.change(func() {
		if l.faults.fail == nil {
			l.faults.fail = map[string][]error{}
		}
		l.faults.fail[method] = append(l.faults.fail[method], errs...)
	})
}

// LoseAnswers has the next n calls of a method do what they do, and answer with an error.
func (l *Lnd) LoseAnswers(method string, n int) {
	l.change(func() {
		if l.faults.loseAnswer == nil {
			l.faults.loseAnswer = map[string]int{}
		}
		l.faults.loseAnswer[method] = n
	})
}

// Hang has a method not answer until the caller gives up, as GetInfo does while the
// chain's node is down.
func (l *Lnd) Hang(method string, on bool) {
	l.change(func() {
		if l.faults.hang == nil {
			l.faults.hang = map[string]bool{}
		}
		l.faults.hang[method] = on
	})
}

// ResetSettleIndex begins settle_indices at 1 again and keeps the rows, as the move from
// the key-value store to native SQL does.
func (l *Lnd) ResetSettleIndex() {
	l.change(func() { l.db.settleIndex, l.db.log, l.faults.nativeSQL = 0, nil, true })
}

// Wipe loses all invoices: the node was made again from its seed.
func (l *Lnd) Wipe() { l.change(func() { l.db = newDB() }) }

func (l *Lnd) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

var errLost = errors.New("fakelnd: the answer is lost")

// begin returns the fault of a call that is to begin.
func (l *Lnd) begin(method string) (hang bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := l.faults.fail[method]; len(left) > 0 {
		err := left[0]
		l.faults.fail[method] = left[1:]
		return false, err
	}
	return l.faults.hang[method], nil
}

func (l *Lnd) loses(method string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.faults.loseAnswer[method] == 0 {
		return false
	}
	l.faults.loseAnswer[method]--
	return true
}

// ready refuses a call as lnd does in its state. The errors have the code Unknown.
func (l *Lnd) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state {
	case lnrpc.WalletState_SERVER_ACTIVE:
		return nil
	case lnrpc.WalletState_LOCKED:
		return errors.New("wallet locked, unlock it to enable full RPC access")
	case lnrpc.WalletState_NON_EXISTING:
		return errors.New("wallet not created, create one to enable full RPC access")
	case lnrpc.WalletState_WAITING_TO_START:
		return errors.New("waiting to start, RPC services not available")
	}
	return errors.New("the RPC server is in the process of starting up, but not yet ready to accept calls")
}

// admit is what stands before each call.
func (l *Lnd) admit(ctx context.Context, method string) error {
	if path.Dir(method) == "/lnrpc.State" {
		return nil // in every state, and without a macaroon
	}
	if err := l.ready(); err != nil {
		return err
	}
	if err := l.allow(ctx, method); err != nil {
		return err
	}
	hang, err := l.begin(path.Base(method))
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (l *Lnd) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := l.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	answer, err := handler(ctx, req)
	if err == nil && l.loses(path.Base(info.FullMethod)) {
		return nil, errLost
	}
	return answer, err
}

func (l *Lnd) streaming(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := l.admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handler(srv, stream)
}
