package lnd

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"

	"github.com/lightningnetwork/lnd/lnrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandglass/testutil/devnet/process"
)

// keysendRecord is the TLV record that carries a keysend's preimage.
const keysendRecord = 5482373484

// payTimeoutSeconds bounds the search for a route. A payment that is accepted and
// held may take longer, as long as a step may.
const payTimeoutSeconds = 30

// sendRequest is what is used here of routerrpc.SendPaymentRequest.
type sendRequest struct {
	paymentRequest string // or what follows
	dest           []byte
	paymentHash    []byte
	paymentAddr    []byte
	finalCltvDelta int64
	destFeatures   []lnrpc.FeatureBit
	records        map[uint64][]byte

	amtMsat      int64
	amp          bool
	maxParts     uint32
	maxShardMsat uint64
}

func (r *sendRequest) fields() (f fields) {
	f.bytes(1, r.dest)
	f.bytes(3, r.paymentHash)
	f.varint(4, uint64(r.finalCltvDelta))
	f.bytes(5, []byte(r.paymentRequest))
	f.varint(6, payTimeoutSeconds)
	for number, value := range r.records {
		var entry fields
		entry.varint(1, number)
		entry.bytes(2, value)
		f.bytes(11, entry)
	}
	f.varint(12, uint64(r.amtMsat))
	for _, bit := range r.destFeatures {
		f.element(16, uint64(bit))
	}
	f.varint(17, uint64(r.maxParts))
	f.varint(18, 1) // no_inflight_updates
	f.bytes(20, r.paymentAddr)
	f.varint(21, r.maxShardMsat)
	if r.amp {
		f.varint(22, 1)
	}
	return f
}

// A PayOption changes how a payment is sent.
type PayOption func(*sendRequest)

// InParts lets a payment be split into at most parts, and makes it be, as none
// may be above shardMsat. Without it a payment is one HTLC.
func InParts(parts uint32, shardMsat uint64) PayOption {
	return func(r *sendRequest) { r.maxParts, r.maxShardMsat = parts, shardMsat }
}

// WithPreimage gives a keysend its secret, so that two can have the same hash.
func WithPreimage(preimage [32]byte) PayOption {
	return func(r *sendRequest) { setKeysend(r, preimage[:]) }
}

// A PaymentFailed is the error of a payment that lnd tried and gave up.
type PaymentFailed struct {
	Payment *lnrpc.Payment
}

func (e *PaymentFailed) Error() string {
	return "payment failed: " + e.Payment.FailureReason.String()
}

// Pay pays what an invoice asks, and returns once the payee has settled it.
func (d *Node) Pay(ctx context.Context, bolt11 string, opts ...PayOption) (*lnrpc.Payment, error) {
	return d.send(ctx, &sendRequest{paymentRequest: bolt11}, opts)
}

// PayAmount pays msat for an invoice: one without an amount, or more or less than
// it asks, which lnd itself would refuse to send.
func (d *Node) PayAmount(ctx context.Context, bolt11 string, msat int64, opts ...PayOption) (*lnrpc.Payment, error) {
	inv, err := d.Lightning.DecodePayReq(ctx, &lnrpc.PayReqString{PayReq: bolt11})
	if err != nil {
		return nil, err
	}
	req := &sendRequest{amtMsat: msat}
	if inv.NumMsat == 0 {
		req.paymentRequest = bolt11
		return d.send(ctx, req, opts)
	}
	if req.dest, err = hex.DecodeString(inv.Destination); err != nil {
		return nil, err
	}
	if req.paymentHash, err = hex.DecodeString(inv.PaymentHash); err != nil {
		return nil, err
	}
	req.paymentAddr = inv.PaymentAddr
	req.finalCltvDelta = inv.CltvExpiry
	for bit := range maps.Keys(inv.Features) {
		req.destFeatures = append(req.destFeatures, lnrpc.FeatureBit(bit))
	}
	return d.send(ctx, req, opts)
}

// Keysend pays msat to a node that gave no invoice, with records beside.
func (d *Node) Keysend(
	ctx context.Context, pubkey string, msat int64, records map[uint64][]byte, opts ...PayOption,
) (*lnrpc.Payment, error) {
	req, err := spontaneous(pubkey, msat, records)
	if err != nil {
		return nil, err
	}
	preimage := make([]byte, 32)
	rand.Read(preimage)
	setKeysend(req, preimage)
	return d.send(ctx, req, opts)
}

// PayAMP pays an AMP invoice, which can be paid many times. msat is 0 if the
// invoice says an amount.
func (d *Node) PayAMP(ctx context.Context, bolt11 string, msat int64, opts ...PayOption) (*lnrpc.Payment, error) {
	return d.send(ctx, &sendRequest{paymentRequest: bolt11, amtMsat: msat, amp: true}, opts)
}

// SendAMP pays msat by AMP to a node that gave no invoice, with records beside.
func (d *Node) SendAMP(
	ctx context.Context, pubkey string, msat int64, records map[uint64][]byte, opts ...PayOption,
) (*lnrpc.Payment, error) {
	req, err := spontaneous(pubkey, msat, records)
	if err != nil {
		return nil, err
	}
	req.amp = true
	return d.send(ctx, req, opts)
}

func spontaneous(pubkey string, msat int64, records map[uint64][]byte) (*sendRequest, error) {
	dest, err := hex.DecodeString(pubkey)
	if err != nil {
		return nil, fmt.Errorf("pubkey %q: %w", pubkey, err)
	}
	req := &sendRequest{dest: dest, amtMsat: msat, records: map[uint64][]byte{}}
	maps.Copy(req.records, records)
	return req, nil
}

func setKeysend(req *sendRequest, preimage []byte) {
	hash := sha256.Sum256(preimage)
	req.paymentHash = hash[:]
	req.records[keysendRecord] = preimage
	req.destFeatures = []lnrpc.FeatureBit{lnrpc.FeatureBit_TLV_ONION_OPT}
}

// ForgetPayment makes the node forget that it paid a hash, which it would refuse
// to pay again.
func (d *Node) ForgetPayment(ctx context.Context, hash []byte) error {
	_, err := d.Lightning.DeletePayment(ctx, &lnrpc.DeletePaymentRequest{PaymentHash: hash})
	return err
}

func (d *Node) send(ctx context.Context, req *sendRequest, opts []PayOption) (*lnrpc.Payment, error) {
	req.maxParts = 1
	for _, opt := range opts {
		opt(req)
	}
	payment, err := d.sendOnce(ctx, req)
	// lnd pays a hash once; a keysend with a given preimage says that it is meant.
	if status.Code(err) == codes.AlreadyExists && req.records[keysendRecord] != nil {
		if err := d.ForgetPayment(ctx, req.paymentHash); err != nil {
			return nil, err
		}
		return d.sendOnce(ctx, req)
	}
	return payment, err
}

func (d *Node) sendOnce(ctx context.Context, req *sendRequest) (*lnrpc.Payment, error) {
	ctx, cancel := process.Step(ctx) // which ends the stream
	defer cancel()
	recv, err := follow[lnrpc.Payment](ctx, d, "/routerrpc.Router/SendPaymentV2", req.fields())
	if err != nil {
		return nil, err
	}
	payment, err := recvUntil(recv, func(p *lnrpc.Payment) bool {
		return p.Status == lnrpc.Payment_SUCCEEDED || p.Status == lnrpc.Payment_FAILED
	})
	if err != nil {
		return nil, err
	}
	if payment.Status == lnrpc.Payment_FAILED {
		return payment, &PaymentFailed{payment}
	}
	return payment, nil
}
