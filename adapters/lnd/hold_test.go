package lnd_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"sandglass/adapters/lnd"
	"sandglass/domain/lightning"
	"sandglass/domain/lightning/hold"
	"sandglass/domain/payment"
)

// TestHeld takes and gives back what is held, in every state and again.
func TestHeld(t *testing.T) {
	f := newFake(t)
	client := must(lnd.Dial(configOf(f)))(t)
	t.Cleanup(func() { check(t, client.Close()) })
	ctx := t.Context()
	made := func(n byte) (preimage [32]byte, hash string) {
		preimage[0] = n
		sum := sha256.Sum256(preimage[:])
		inv := must(client.HoldInvoice(ctx, sum, anHour(7_000, "web-1")))(t)
		if inv.Hash != hex.EncodeToString(sum[:]) || inv.Key != payment.LightningKey(inv.Hash) || inv.Request == "" {
			t.Errorf("it is made as %+v", inv)
		}
		return preimage, inv.Hash
	}
	is := func(hash string, status lightning.EntryStatus, held, height int64) {
		t.Helper()
		inv, err := client.Held(ctx, hash)
		if err != nil || inv.Status != status || int64(inv.Amount) != held || inv.TimesOut != height || inv.Description != "web-1" ||
			(inv.Since > 0) != (held > 0) {
			t.Errorf("it is %+v, %v; want status %d with %d msat up to height %d", inv, err, status, held, height)
		}
	}
	check(t, client.CanHold())
	tip := must(client.Height(ctx))(t)
	took, a := made(1)
	is(a, lightning.EntryOpen, 0, 0)
	if err := client.Take(ctx, took); err == nil || errors.Is(err, hold.ErrEnded) {
		t.Errorf("what is not held is taken: %v", err)
	}
	told := awaiting(ctx, client, a)
	check(t, f.Accept(a, 7_000))
	if err := <-told; err != nil {
		t.Errorf("that it is held is told by %v", err)
	}
	is(a, lightning.EntryAccepted, 7_000, tip+hold.Blocks+3)
	f.LoseAnswers("SettleInvoice", 1)
	if err := client.Take(ctx, took); err == nil {
		t.Error("an answer that is lost is none")
	}
	check(t, client.Take(ctx, took))
	is(a, lightning.EntrySettled, 0, 0)
	if err := client.GiveBack(ctx, a); !errors.Is(err, hold.ErrEnded) {
		t.Errorf("what was taken goes back: %v", err)
	}

	back, b := made(2)
	check(t, f.Accept(b, 7_000))
	check(t, client.GiveBack(ctx, b))
	check(t, client.GiveBack(ctx, b))
	is(b, lightning.EntryCanceled, 0, 0)
	if err := client.Take(ctx, back); !errors.Is(err, hold.ErrEnded) {
		t.Errorf("what went back is taken: %v", err)
	}
	sum := sha256.Sum256(back[:])
	if _, err := client.HoldInvoice(ctx, sum, anHour(7_000, "web-1")); err == nil {
		t.Error("a hash is used twice")
	}
	if _, err := client.Held(ctx, hex.EncodeToString(make([]byte, 32))); !errors.Is(err, lightning.ErrNoInvoice) {
		t.Errorf("one that is unknown: %v", err)
	}
	_, c := made(3)
	told = awaiting(ctx, client, c)
	f.Kill()
	if err := <-told; err == nil {
		t.Error("a stream that ends tells that an invoice is held")
	}
}

// awaiting waits beside for an invoice not to be open.
func awaiting(ctx context.Context, client *lnd.Client, hash string) <-chan error {
	told := make(chan error, 1)
	go func() { told <- client.Await(ctx, hash) }()
	return told
}
