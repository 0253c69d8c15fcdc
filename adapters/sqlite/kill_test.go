package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sandglass/adapters/sqlite"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"
)

// childPath is the variable that makes the test binary the child of TestKill.
const childPath = "SANDGLASS_TEST_CHILD"

const childStreams = 24

// child appends to the log at path from many goroutines until it is killed, and writes
// a line per event that was acknowledged.
func child(path string) int {
	s, err := sqlite.Open(path, sqlite.Options{Now: wallClock, FreeSpaceFloor: -1}.Hasty())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for g := range childStreams {
		wg.Go(func() {
			name := fmt.Sprintf("toy-%d", g)
			last := stream.NoStream
			for rec, err := range s.Read(context.Background(), name, 0) {
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				last = rec.Revision
			}
			for n := g; ; n++ {
				events := storetest.Events(name, last, fmt.Sprint(os.Getpid(), n), 1+n%3)
				if _, err := s.Append(context.Background(), name, last, events); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				var lines strings.Builder
				for _, e := range events {
					last++
					fmt.Fprintf(&lines, "%s %d %s\n", name, last, e.ID)
				}
				os.Stdout.WriteString(lines.String()) // one write: lines of two goroutines don't mix
			}
		})
	}
	wg.Wait()
	return 0
}

func TestKill(t *testing.T) {
	t.Parallel()
	kills := 55
	if testing.Short() {
		kills = 10
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := newLog(t)
	acknowledged := map[string]bool{}
	verified := 0
	for round := range kills {
		killOnce(t, path, random, acknowledged)
		if round == kills-1 || random.IntN(5) == 0 { // else the next child recovers the log
			verifyKilled(t, path, acknowledged)
			verified++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d verifications: all of %d acknowledged events are there once", kills, verified, len(acknowledged))
}

// killOnce kills a child after some lines, or some time, and notes what was acknowledged.
func killOnce(t *testing.T, path string, random *rand.Rand, acknowledged map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := random.IntN(250)
	if random.IntN(2) == 0 { // in the midst of anything, Open included
		lines = 1 << 30
		timer := time.AfterFunc(time.Duration(random.IntN(250))*time.Millisecond, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	for in := bufio.NewReader(out); ; lines-- {
		line, err := in.ReadString('\n')
		if err != nil {
			break // a line without its end was cut short by the kill
		}
		acknowledged[strings.TrimSpace(line)] = true
		if lines == 0 {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if stderr.Len() > 0 {
		t.Errorf("the child says: %s", stderr.String())
	}
}

func verifyKilled(t *testing.T, path string, acknowledged map[string]bool) {
	t.Helper()
	s := openLog(t, path, sqlite.Options{FreeSpaceFloor: -1})
	defer s.Close()
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	there := map[string]int{}
	for g := range childStreams {
		for rec, err := range s.Read(t.Context(), fmt.Sprintf("toy-%d", g), 0) {
			if err != nil {
				t.Fatal(err)
			}
			there[fmt.Sprintf("%s %d %s", rec.Stream, rec.Revision, rec.ID)]++
		}
	}
	for line := range acknowledged {
		if there[line] != 1 {
			t.Errorf("%s was acknowledged and is there %d times", line, there[line])
		}
	}
}
