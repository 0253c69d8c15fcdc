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
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/histories"
)

func memory(ctx context.Context, b *harness.Bench) error {
	path, err := b.Million(ctx)
	if err != nil {
		return err
	}
	var per []float64
	for range min(b.Rounds, 3) {
		before := harness.Heap()
		v, err := harness.FoldFile(ctx, path)
		if err != nil {
			return err
		}
		after := harness.Heap()
		n := count(v)
		per = append(per, float64(after-before)/float64(n))
		b.Say("%d resources take %d MB", n, (after-before)>>20)
		runtime.KeepAlive(v)
	}
	b.Add("memory per resource", "bytes", per).Within(harness.AtMost(400)).
		Noting("heap after a garbage collection, all projections, deadlines included, one credit each")
	return nil
}

func count(v *projections.Views) (n int) {
	for _, c := range v.Counts() {
		n += c
	}
	return n
}

// queries is how many resources are asked for in one round.
const queries = 1_000_000

func remaining(ctx context.Context, b *harness.Bench) error {
	path, err := b.Million(ctx)
	if err != nil {
		return err
	}
	v, err := harness.FoldFile(ctx, path)
	if err != nil {
		return err
	}
	all := v.Resources("", b.Many, nil)
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
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		runtime.GC()
		var sum int64
		lookup = append(lookup, perCall(ids, func(id resource.ID) { sum += int64(plain[id]) }))
		missing, busy := 0, harness.CPUTime()
		query = append(query, perCall(ids, func(id resource.ID) {
			if left, ok := v.Remaining(id, at); !ok || left == 0 {
				missing++
			}
		}))
		cpu = append(cpu, float64(harness.CPUTime()-busy)/queries)
		if missing > 0 || sum == 0 {
			return fmt.Errorf("%d of %d resources have no time left", missing, queries)
		}
	}
	b.Add("a bare map of ids, asked for one at random", "ns", lookup)
	b.Add("remaining time of one resource at random", "ns", query).
		Within(harness.AtMost(1000)).
		Against("slower than a bare map", query, lookup, nil).
		Noting(fmt.Sprintf("of %d resources, %d calls by one goroutine", n, queries))
	b.Add("the same, processor time", "ns", cpu)
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
