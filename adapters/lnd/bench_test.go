package lnd_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"sandglass/adapters/lnd"
	"sandglass/domain/lightning"
	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/request"
	"sandglass/domain/resource"
	"sandglass/domain/stream"
	"sandglass/domain/wallet"
	"sandglass/domain/watch"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/storetest"
)

// booked tells of each booking.
type booked struct{ booked chan struct{} }

// Booked implements [watch.Observer].
func (m *booked) Booked(payment.Via, bool, time.Duration) { m.booked <- struct{}{} }

// Swept implements [watch.Observer].
func (*booked) Swept(time.Duration, int, int) {}

// Notice implements [watch.Observer].
func (*booked) Notice(watch.Notice) {}

// resources take the benchmark's money in turn.
const resources = 50

// payBench pays the i-th keysend.
func payBench(f *fakelnd.Lnd, i int) {
	var preimage [32]byte
	binary.BigEndian.PutUint64(preimage[:], uint64(i))
	f.Keysend(preimage, 1_000, map[uint64][]byte{lightning.ResourceRecord: fmt.Appendf(nil, "vm-%d", i%resources)})
}

// BenchmarkSettledToCredited pays one after the other, and measures from the payment
// until its credit is durable: gRPC, four events in three appends, fsync.
func BenchmarkSettledToCredited(b *testing.B) {
	f, m := startBench(b)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		begin := time.Now()
		payBench(f, i)
		<-m.booked
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
}

// BenchmarkBurst pays many at once.
func BenchmarkBurst(b *testing.B) {
	const burst = 500
	f, m := startBench(b)
	payments := 0
	for b.Loop() {
		for range burst {
			payBench(f, payments)
			payments++
		}
		for range burst {
			<-m.booked
		}
	}
	b.ReportMetric(float64(payments)/b.Elapsed().Seconds(), "payments/s")
}

func startBench(b *testing.B) (*fakelnd.Lnd, *booked) {
	b.Helper()
	f := must(fakelnd.New(b.TempDir()))(b)
	b.Cleanup(f.Kill)
	client := must(lnd.Dial(configOf(f)))(b)
	b.Cleanup(func() { check(b, client.Close()) })
	store, _ := storetest.SQLite(b)
	m := &booked{booked: make(chan struct{}, 1000)}
	booker := &payment.Booker{
		Payments:  &payment.Handler{Aggregate: payment.Aggregate(), Store: store},
		Resources: &resource.Handler{Aggregate: resource.Aggregate(), Store: store}, Now: now,
	}
	requests := request.New(request.Options{Store: new(storetest.Memory), Now: now})
	w := must(lightning.New(lightning.Config{
		Wallet: client, Wallets: &wallet.Handler{Aggregate: wallet.Aggregate(), Store: store}, Booker: booker,
		Waiting:  func(context.Context) ([]lightning.Waiting, error) { return nil, nil },
		Observer: m, Now: now, Requests: requests, Opening: sells(requests, booker.Resources),
	}))(b)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	b.Cleanup(func() { cancel(); check(b, <-done) })
	<-w.Swept()
	for i := range resources {
		_, err := booker.Resources.Execute(b.Context(), resource.ID(fmt.Sprintf("vm-%d", i)), stream.Meta{}, resource.Open{
			When: resource.When{At: now()},
			Order: resource.Order{
				Plan:  "small",
				Terms: resource.Terms{Price: money.Price{Msat: 1000, Per: 1}},
			},
		})
		check(b, err)
	}
	return f, m
}
