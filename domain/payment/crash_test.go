package payment_test

import (
	"testing"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
	"sandglass/testutil/wholelog"
)

// resourceOf returns the resource of a stream, if it is one's.
// TestCrashAfterEveryStep loses each append in turn, or its answer, and then one more or
// none; then another booker starts over on what is there.
func TestCrashAfterEveryStep(t *testing.T) {
	store, _ := storetest.SQLite(t)
	payments := 0
	for _, step := range []func(*testing.T, *payment.Booker, payment.Key, resource.ID) error{book, bookAndAllocate} {
		for appends := range 6 { // the last is one more than there are
			for _, first := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
				for _, second := range []storetest.Fault{storetest.Lost, storetest.AnswerLost, storetest.None} {
					key, id := ln(payments), vm(payments)
					payments++
					openAll(t, booker(store), id)
					faults := append(make([]storetest.Fault, appends), first, second)
					faulty := &storetest.Faulty{EventStore: store, OnAppend: storetest.Faults(faults...)}
					err := step(t, booker(faulty), key, id)
					for n := 0; err != nil && n < len(faults); n++ {
						err = step(t, booker(faulty), key, id)
					}
					if err != nil {
						t.Fatalf("faults %v: %v", faults, err)
					}
				}
			}
		}
	}
	wholelog.CheckCredits(t, store, 500, money.Msat(payments)*500)
}

func book(t *testing.T, b *payment.Booker, key payment.Key, id resource.ID) error {
	c := settle(10, 500)
	c.Resource = id
	_, err := b.Book(t.Context(), stream.Meta{}, key, c)
	return err
}

func bookAndAllocate(t *testing.T, b *payment.Booker, key payment.Key, id resource.ID) error {
	if err := book(t, b, key, ""); err != nil {
		return err
	}
	_, err := b.Allocate(t.Context(), stream.Meta{}, key, id)
	return err
}

// TestRandomCrashes books many payments while a third of all appends fail.
func TestRandomCrashes(t *testing.T) {
	const payments, machines = 60, 3
	store, _ := storetest.SQLite(t)
	for i := range machines {
		openAll(t, booker(store), vm(i))
	}
	for i := range payments {
		order(t, booker(store), ln(i), vm(i%machines))
	}
	faulty := &storetest.Faulty{EventStore: store, OnAppend: storetest.RandomFaults(1, 33)}
	for left := payments; left > 0; {
		left = 0
		for i := range payments {
			if _, err := booker(faulty).Book(t.Context(), stream.Meta{}, ln(i), settle(10, 500)); err != nil {
				left++
			}
		}
	}
	wholelog.CheckCredits(t, store, 500, payments*500)
}
