package fakelnd

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"sandglass/testutil/fakelnd/bolt11"
	"sandglass/testutil/fakelnd/queue"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type stateService struct {
	lnrpc.UnimplementedStateServer
	*Lnd
}

// GetState implements [lnrpc.StateServer].
func (s *stateService) GetState(context.Context, *lnrpc.GetStateRequest) (*lnrpc.GetStateResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &lnrpc.GetStateResponse{State: s.state}, nil
}

type lightning struct {
	lnrpc.UnimplementedLightningServer
	*Lnd
}

// GetInfo implements [lnrpc.LightningServer].
func (l *lightning) GetInfo(context.Context, *lnrpc.GetInfoRequest) (*lnrpc.GetInfoResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tip := l.wallet.chain.Tip()
	return &lnrpc.GetInfoResponse{
		IdentityPubkey: l.identity(), SyncedToChain: !l.unsynced, BlockHeight: uint32(tip.Height), BlockHash: tip.Hash.String(),
		BestHeaderTimestamp: tip.Header.Timestamp.Unix(),
		Chains:              []*lnrpc.Chain{{Chain: "bitcoin", Network: l.network}},
	}, nil
}

// AddInvoice implements [lnrpc.LightningServer].
func (l *lightning) AddInvoice(_ context.Context, in *lnrpc.Invoice) (*lnrpc.AddInvoiceResponse, error) {
	if n := len(in.DescriptionHash); len(in.Memo) > 1024 || n != 0 && n != 32 {
		return nil, errors.New("memo too large, or a description hash that is none")
	}
	preimage := in.RPreimage
	if len(preimage) == 0 {
		preimage = make([]byte, 32)
		rand.Read(preimage)
	}
	hash := sha256.Sum256(preimage)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db.find(hash[:]) != nil {
		return nil, errors.New("invoice with payment hash already exists")
	}
	row := &lnrpc.Invoice{
		Memo: in.Memo, RPreimage: preimage, RHash: hash[:], Value: in.ValueMsat / 1000, ValueMsat: in.ValueMsat,
		CreationDate: time.Now().Unix(), Expiry: cmp.Or(in.Expiry, 86400), IsAmp: in.IsAmp, Private: in.Private,
		PaymentAddr: slices.Clone(hash[:]), DescriptionHash: in.DescriptionHash,
	}
	var err error
	if row.PaymentRequest, err = bolt11.Encode(l.key, row); err != nil {
		return nil, err
	}
	if in.IsAmp {
		row.RPreimage = nil
	}
	l.db.add(row)
	l.dispatch(row, "")
	return &lnrpc.AddInvoiceResponse{
		RHash:          row.RHash,
		PaymentRequest: row.PaymentRequest,
		AddIndex:       row.AddIndex,
		PaymentAddr:    row.PaymentAddr,
	}, nil
}

// LookupInvoice implements [lnrpc.LightningServer].
func (l *lightning) LookupInvoice(_ context.Context, in *lnrpc.PaymentHash) (*lnrpc.Invoice, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.db.find(in.RHash)
	if row == nil {
		return nil, status.Error(codes.NotFound, "unable to locate invoice")
	}
	return shown(row), nil
}

// ListInvoices implements [lnrpc.LightningServer].
func (l *lightning) ListInvoices(_ context.Context, in *lnrpc.ListInvoiceRequest) (*lnrpc.ListInvoiceResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	page := l.db.page(in.IndexOffset, cmp.Or(in.NumMaxInvoices, 100), in.Reversed)
	answer := &lnrpc.ListInvoiceResponse{Invoices: page}
	if len(page) > 0 {
		answer.FirstIndexOffset, answer.LastIndexOffset = page[0].AddIndex, page[len(page)-1].AddIndex
	}
	return answer, nil
}

// CheckMacaroonPermissions implements [lnrpc.LightningServer].
func (l *lightning) CheckMacaroonPermissions(
	_ context.Context, in *lnrpc.CheckMacPermRequest,
) (*lnrpc.CheckMacPermResponse, error) {
	var need []Permission
	for _, p := range in.Permissions {
		need = append(need, Permission{p.Entity, p.Action})
	}
	if in.CheckDefaultPermsFromFullMethod {
		need = needs[in.FullMethod]
	}
	if err := l.authorize(in.Macaroon, in.FullMethod, need); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &lnrpc.CheckMacPermResponse{Valid: true}, nil
}

// client is a subscriber to invoices.
type client struct {
	*queue.Queue[*lnrpc.Invoice]
	addIndex, settleIndex uint64
}

// SubscribeInvoices implements [lnrpc.LightningServer]. It is not known to the client
// when it begins.
func (l *lightning) SubscribeInvoices(in *lnrpc.InvoiceSubscription, stream lnrpc.Lightning_SubscribeInvoicesServer) error {
	c := &client{Queue: queue.New[*lnrpc.Invoice](), addIndex: in.AddIndex, settleIndex: in.SettleIndex}
	l.mu.Lock()
	c.Add(l.db.addedSince(in.AddIndex)...)
	if l.faults.nativeSQL {
		c.Add(l.db.settledSinceSQL(in.SettleIndex)...)
	} else {
		c.Add(l.db.settledSince(in.SettleIndex)...)
	}
	l.clients[c] = true
	ending := l.ending
	l.mu.Unlock()
	defer l.change(func() { delete(l.clients, c) })
	return queue.Serve(stream.Context(), &l.mu, c.Queue, ending, stream.Send)
}

// dispatch tells the subscribers of a row that was added or settled. The caller holds
// the mutex.
func (l *Lnd) dispatch(row *lnrpc.Invoice, set string) {
	open := row.State == lnrpc.Invoice_OPEN
	if !open && l.faults.drop > 0 {
		l.faults.drop--
		return
	}
	for c := range l.clients {
		switch {
		case set != "": // an AMP set is told whatever the cursor is
		case open && c.addIndex >= row.AddIndex, !open && c.settleIndex >= row.SettleIndex:
			continue
		case open:
			c.addIndex = row.AddIndex
		default:
			c.settleIndex = row.SettleIndex
		}
		for range max(1, l.faults.repeat) {
			c.Add(ofSet(row, set))
		}
	}
}

// Listening says how many subscribers there are, of all streams.
func (l *Lnd) Listening() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.clients) + len(l.txs) + len(l.epochs)
}
