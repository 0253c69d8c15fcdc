package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"sandglass/domain/instant"
	"sandglass/domain/resource"
	"sandglass/projections"
	"sandglass/testutil/histories"
)

func memory(ctx context.Context, b *bench) error {
	path, err := b.million(ctx)
	if err != nil {
		return err
	}
	var per []float64
	for range min(b.rounds, 3) {
		before := heap()
		v, err := foldFile(ctx, path)
		if err != nil {
			return err
		}
		after := heap()
		n := count(v)
		per = append(per, float64(after-before)/float64(n))
		b.say("%d resources take %d MB", n, (after-before)>>20)
		runtime.KeepAlive(v)
	}
	b.add("memory per resource", "bytes", per).target(atMost(400)).
		note("heap after a garbage collection, all projections, deadlines included, one credit each")
	return nil
}

// heap returns how many bytes live objects take.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one found finalizers for
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func count(v *projections.Views) (n int) {
	for _, c := range v.Counts() {
		n += c
	}
	return n
}

func foldFile(ctx context.Context, path string) (*projections.Views, error) {
	s, err := openStore(path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return fold(ctx, s)
}

// queries is how many resources are asked for in one round.
const queries = 1_000_000

func remaining(ctx context.Context, b *bench) error {
	path, err := b.million(ctx)
	if err != nil {
		return err
	}
	v, err := foldFile(ctx, path)
	if err != nil {
		return err
	}
	all := v.Resources("", b.many, nil)
	ids, plain := make([]resource.ID, queries), make(map[resource.ID]int32, len(all))
	for i := range all {
		plain[all[i].ID] = int32(i)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range ids {
		ids[i] = all[rng.IntN(len(all))].ID
	}
	n := len(all)
	all = nil // a daemon doesn't hold them either
	at := histories.Start.Add(instant.Hour)
	var lookup, query, cpu []float64
	for r := range b.rounds {
		b.say("round %d of %d", r+1, b.rounds)
		runtime.GC()
		var sum int64
		lookup = append(lookup, perCall(ids, func(id resource.ID) { sum += int64(plain[id]) }))
		missing, busy := 0, cpuTime()
		query = append(query, perCall(ids, func(id resource.ID) {
			if left, ok := v.Remaining(id, at); !ok || left == 0 {
				missing++
			}
		}))
		cpu = append(cpu, float64(cpuTime()-busy)/queries)
		if missing > 0 || sum == 0 {
			return fmt.Errorf("%d of %d resources have no time left", missing, queries)
		}
	}
	b.add("a bare map of ids, asked for one at random", "ns", lookup)
	b.add("remaining time of one resource at random", "ns", query).
		target(atMost(1000)).
		ratio("slower than a bare map", query, lookup, nil).
		note(fmt.Sprintf("of %d resources, %d calls by one goroutine", n, queries))
	b.add("the same, processor time", "ns", cpu)
	return nil
}

// perCall returns how many nanoseconds f takes on average.
func perCall(ids []resource.ID, f func(id resource.ID)) float64 {
	start := time.Now()
	for _, id := range ids {
		f(id)
	}
	return float64(time.Since(start).Nanoseconds()) / float64(len(ids))
}
