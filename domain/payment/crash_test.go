package payment_test

import (
	"fmt"
	"strings"
	"testing"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

func cut(name string) (id string, ok bool) { return strings.CutPrefix(name, resource.Prefix) }

// TestCrashAfterEveryStep loses each append in turn, or its answer, and then one more or
// none; then another booker starts over on what is there.
func TestCrashAfterEveryStep(t *testing.T) {
	store, _ := storetest.SQLite(t)
	payments := 0
	for _, step := range []func(*testing.T, *payment.Booker, string, string) error{book, bookAndGive} {
		for appends := range 6 { // the last is one more than there are
			for _, first := range []storetest.Fault{storetest.Lost, storetest.AnswerLost} {
				for _, second := range []storetest.Fault{storetest.Lost, storetest.AnswerLost, storetest.None} {
					key, id := fmt.Sprintf("ln-%d", payments), fmt.Sprintf("vm-%d", payments)
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
	audit(t, store, booker(store), money.Msat(payments)*500)
}

func book(t *testing.T, b *payment.Booker, key, id string) error {
	c := *settled(10, 500)
	c.Resource = id
	_, _, err := b.Book(t.Context(), stream.Meta{}, key, c)
	return err
}

func bookAndGive(t *testing.T, b *payment.Booker, key, id string) error {
	if err := book(t, b, key, ""); err != nil {
		return err
	}
	_, _, err := b.Give(t.Context(), stream.Meta{}, key, id)
	return err
}

// TestRandomCrashes books many payments while a third of all appends fail.
func TestRandomCrashes(t *testing.T) {
	const payments, machines = 60, 3
	store, _ := storetest.SQLite(t)
	for i := range machines {
		openAll(t, booker(store), fmt.Sprintf("vm-%d", i))
	}
	for i := range payments {
		ask(t, booker(store), fmt.Sprintf("ln-%d", i), fmt.Sprintf("vm-%d", i%machines))
	}
	faulty := &storetest.Faulty{EventStore: store, OnAppend: storetest.RandomFaults(1, 33)}
	for left := payments; left > 0; {
		left = 0
		for i := range payments {
			if _, _, err := booker(faulty).Book(t.Context(), stream.Meta{}, fmt.Sprintf("ln-%d", i), *settled(10, 500)); err != nil {
				left++
			}
		}
	}
	audit(t, store, booker(store), payments*500)
}
