package lnd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"sandglass/domain/chain"

	"github.com/btcsuite/btcd/wire"
	"github.com/lightningnetwork/lnd/lnrpc"
)

// Outputs implements [chain.Wallet]. A transaction that can't be understood fails the
// range that has it: what it holds has to be read from its block. The number of its
// confirmations, which lnd can have wrong after a reorg, is not looked at.
func (c *Client) Outputs(ctx context.Context, from, to int64) ([]chain.Output, error) {
	// To lnd an end_height of 0 is no end at all, and a negative height the mempool.
	from, to = max(from, 1), min(to, math.MaxInt32)
	if from > to {
		return nil, nil
	}
	txs, err := c.transactions(ctx, int32(from), int32(to))
	if err != nil {
		return nil, err
	}
	var all []chain.Output
	for _, tx := range txs {
		if h := int64(tx.BlockHeight); h < from || h > to {
			continue
		}
		outputs, err := listed(tx)
		if err != nil {
			return nil, fmt.Errorf("lnd: GetTransactions of blocks %d to %d: transaction %.80q: %w", from, to, tx.TxHash, err)
		}
		all = append(all, outputs...)
	}
	return all, nil
}

// Mempool implements [chain.Wallet]. A transaction that can't be understood is left out
// until it is in a block: nobody is credited before, and it must not hide the others.
func (c *Client) Mempool(ctx context.Context) ([]chain.Output, error) {
	// These heights reach no block: a broken one can't fail the call, nor a new one come
	// between.
	txs, err := c.transactions(ctx, -1, -1)
	if err != nil {
		return nil, err
	}
	var all []chain.Output
	for _, tx := range txs {
		if outputs, err := listed(tx); err == nil && tx.BlockHeight == 0 {
			all = append(all, outputs...)
		}
	}
	return all, nil
}

func (c *Client) transactions(ctx context.Context, start, end int32) ([]*lnrpc.Transaction, error) {
	answer, err := ask(ctx, c, c.watch, c.config.ListTimeout, "/lnrpc.Lightning/GetTransactions",
		c.watch.lightning.GetTransactions, &lnrpc.GetTransactionsRequest{StartHeight: start, EndHeight: end})
	return answer.GetTransactions(), err
}

// listed returns the outputs of a transaction that lnd lists, ours or not. Its amount is
// what the wallet gained by it, which is not looked at.
func listed(tx *lnrpc.Transaction) ([]chain.Output, error) {
	if _, err := hashBytes(tx.TxHash); err != nil {
		return nil, fmt.Errorf("a txid: %w", err)
	}
	if err := checkPlace(tx); err != nil {
		return nil, err
	}
	spends, err := spendsListed(tx)
	if err != nil {
		return nil, err
	}
	outputs, own := make([]chain.Output, len(tx.OutputDetails)), sent(tx)
	next := int64(0) // what the next output_index may be, or more
	for i, out := range tx.OutputDetails {
		if out.GetOutputIndex() < next || out.GetOutputIndex() > math.MaxUint32 {
			return nil, fmt.Errorf("an output_index %d", out.GetOutputIndex())
		}
		next = out.OutputIndex + 1
		amount, err := msat(out.Amount)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", out.OutputIndex, err)
		}
		outputs[i] = chain.Output{
			Txid: tx.TxHash, Vout: uint32(out.OutputIndex), Address: out.Address, Amount: amount,
			Height: int64(tx.BlockHeight), Block: tx.BlockHash, Spends: spends,
			Ours: out.IsOurAddress, Sent: own,
		}
	}
	return outputs, nil
}

// sent reports whether the wallet made a transaction: it spends outputs of its own, or has
// lnd's own label, as what sweeps a closed channel has. A label is never a payer's.
func sent(tx *lnrpc.Transaction) bool {
	spends := slices.ContainsFunc(tx.PreviousOutpoints, func(p *lnrpc.PreviousOutPoint) bool { return p.GetIsOurOutput() })
	return spends || strings.HasPrefix(tx.Label, "0:")
}

// checkPlace returns an error unless a transaction has a height and a block, or neither.
func checkPlace(tx *lnrpc.Transaction) error {
	if tx.BlockHeight == 0 && tx.BlockHash == "" {
		return nil
	}
	if _, err := hashBytes(tx.BlockHash); err != nil || tx.BlockHeight < 1 {
		return errors.Join(fmt.Errorf("a block %.80q at height %d", tx.BlockHash, tx.BlockHeight), err)
	}
	return nil
}

func spendsListed(tx *lnrpc.Transaction) ([]string, error) {
	spends := make([]string, 0, len(tx.PreviousOutpoints))
	for _, in := range tx.PreviousOutpoints {
		text := in.GetOutpoint()
		point, err := wire.NewOutPointFromString(text)
		if err != nil || point.String() != text {
			return nil, fmt.Errorf("an outpoint %.100q", text)
		}
		if *point != coinbase {
			spends = append(spends, text)
		}
	}
	return spends, nil
}
