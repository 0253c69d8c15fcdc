package requests_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/sqlite/requests"
	"sandglass/domain/request"
	"sandglass/domain/stream"
	"sandglass/testutil/storetest"

	"go.uber.org/goleak"
)

// childPath and lockPath are the variables that make the test binary a child that writes, or
// one that tries to open the file.
const (
	childPath = "SANDGLASS_TEST_REQUESTS_CHILD"
	lockPath  = "SANDGLASS_TEST_REQUESTS_LOCK"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		os.Exit(child(path))
	}
	if path := os.Getenv(lockPath); path != "" {
		_, err := requests.Open(path, requests.Options{})
		fmt.Fprint(os.Stderr, err)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func newFile(t testing.TB) string {
	t.Helper()
	path := requests.Path(filepath.Join(t.TempDir(), "sandglass.db"))
	if err := requests.Create(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string, o requests.Options) *requests.Store {
	t.Helper()
	if o.FreeSpaceFloor == 0 {
		o.FreeSpaceFloor = -1
	}
	s, err := requests.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Requests(t, storetest.RequestsHarness{Forgets: true, New: func(t *testing.T) func() storetest.RequestStore {
		path := newFile(t)
		return func() storetest.RequestStore { return open(t, path, requests.Options{}.Hasty()) }
	}})
}

// held returns how many records the file holds.
func held(t *testing.T, s *requests.Store) (n int) {
	t.Helper()
	for run, err := range s.Follow(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(run) == 0 {
			break
		}
		n += len(run)
	}
	return n
}

func TestTheFileIsPrivateAndOnesOwn(t *testing.T) {
	path := newFile(t)
	open(t, path, requests.Options{})
	for _, p := range []string{path, path + "-wal"} {
		if info, err := os.Stat(p); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", p, info.Mode(), err)
		}
	}
	if err := requests.Create(path); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("made twice: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		_, err := requests.Open(p, requests.Options{})
		if err == nil || !strings.Contains(err.Error(), "open for writing already") {
			t.Errorf("opened twice in one process: %v", err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), lockPath+"="+p)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "open for writing already") {
			t.Errorf("opened by a second process: %q, %v", out, err)
		}
	}
}

func TestWhatIsNoFileOfRequests(t *testing.T) {
	dir := t.TempDir()
	_, err := requests.Open(filepath.Join(dir, "none"), requests.Options{})
	if err == nil || !strings.Contains(err.Error(), "init") {
		t.Errorf("a file that is not there: %v", err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	storetest.SQLiteAt(t, log, storetest.NewClock().Now)
	for path, want := range map[string]string{text: "no database", log: ""} {
		if _, err := requests.Open(path, requests.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestTheFileIsOfOneLog(t *testing.T) {
	a, b := newFile(t), newFile(t)
	opens := func(path, log string, want bool) {
		t.Helper()
		s, err := requests.Open(path, requests.Options{Log: log, FreeSpaceFloor: -1})
		if err == nil {
			err = errors.Join(s.Keep(t.Context(), storetest.Request(len(path)+len(log))), s.Close())
		}
		if want != (err == nil) || err != nil && !strings.Contains(err.Error(), "move the file away") {
			t.Errorf("%s beside the log %q: %v", path, log, err)
		}
	}
	opens(a, "", true)
	opens(a, "01aa", true) // which it is of from now on
	opens(a, "02bb", false)
	opens(a, "01aa", true)
	copied := filepath.Join(t.TempDir(), "copy")
	if err := requests.CopyTo(t.Context(), a, copied); err != nil {
		t.Fatal(err)
	}
	opens(copied, "02bb", false)
	if err := requests.Add(t.Context(), b, copied); err != nil {
		t.Fatal(err)
	}
	opens(b, "02bb", false)
	c := newFile(t)
	opens(c, "02bb", true)
	if err := requests.Add(t.Context(), c, copied); err == nil || !strings.Contains(err.Error(), "is of the log 02bb") {
		t.Errorf("the requests of another log are added: %v", err)
	}
}

// What was released in a newer file is so in an older one that it is added to, and not the other
// way round.
func TestAReleaseIsAdded(t *testing.T) {
	as := func(released bool) *request.Record {
		r := storetest.Request(3)
		if released {
			r.Released = r.At + 1
		}
		return r
	}
	for _, newer := range []bool{true, false} {
		a, b, copied := newFile(t), newFile(t), filepath.Join(t.TempDir(), "copy")
		for path, released := range map[string]bool{a: newer, b: !newer} {
			s := open(t, path, requests.Options{FreeSpaceFloor: -1})
			if err := errors.Join(s.Keep(t.Context(), as(released)), s.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(requests.CopyTo(t.Context(), a, copied), requests.Add(t.Context(), b, copied)); err != nil {
			t.Fatal(err)
		}
		for run, err := range open(t, b, requests.Options{FreeSpaceFloor: -1}).Follow(t.Context()) {
			if err != nil || len(run) != 1 || run[0].Released == 0 {
				t.Errorf("newer %t: %+v, %v", newer, run, err)
			}
			break
		}
	}
}

func TestAFullDiskKeepsNothing(t *testing.T) {
	path := newFile(t)
	var free atomic.Int64
	s := open(t, path, requests.Options{
		FreeSpaceFloor: 1000, FreeSpace: func(string) (int64, error) { return free.Load(), nil },
	})
	n := 0
	for _, step := range []struct {
		free int64
		ok   bool
	}{{1000, true}, {999, false}, {1249, false}, {1250, true}} {
		free.Store(step.free)
		err := s.Keep(t.Context(), storetest.Request(n))
		if step.ok != (err == nil) || err != nil && !errors.Is(err, stream.ErrReadOnly) {
			t.Errorf("%d bytes are free: %v", step.free, err)
		}
		if step.ok {
			n++
		}
		if got := held(t, s); got != n {
			t.Errorf("%d bytes are free: %d records, want %d", step.free, got, n)
		}
	}
	free.Store(1)
	if err := s.Forget(t.Context(), []string{storetest.Request(0).Name()}); err != nil || held(t, s) != n-1 {
		t.Errorf("forgetting makes room: %v, and %d records of %d", err, held(t, s), n)
	}
}

// SQLite finds the file full in the midst of a group: all of it is refused.
func TestAFullFileKeepsNothing(t *testing.T) {
	s := open(t, newFile(t), requests.Options{}.Hasty())
	kept := 0
	for range 5 {
		if err := s.LimitPages(20); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var n atomic.Int64
		for range 16 {
			wg.Go(func() {
				for i := range 1 << 20 {
					err := s.Keep(t.Context(), storetest.Request(rand.IntN(1<<40)<<2+i%4))
					if errors.Is(err, stream.ErrReadOnly) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					n.Add(1)
				}
			})
		}
		wg.Wait()
		if kept += int(n.Load()); n.Load() == 0 {
			t.Error("nothing was kept though there was room")
		}
		if err := s.LimitPages(-1); err != nil {
			t.Fatal(err)
		}
		if got := held(t, s); got != kept {
			t.Fatalf("%d records are there, %d were kept", got, kept)
		}
	}
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsReplacedKeepsNothing(t *testing.T) {
	path := newFile(t)
	s, err := requests.Open(path, requests.Options{FreeSpaceFloor: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Writable(); err != nil {
		t.Error(err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := requests.Create(path + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context(), storetest.Request(0)); !errors.Is(err, stream.ErrReadOnly) {
		t.Errorf("keeping: %v, want %v", err, stream.ErrReadOnly)
	}
	if err := s.Writable(); !errors.Is(err, stream.ErrReadOnly) {
		t.Errorf("it says that it keeps: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// What was forgotten gives its space back, also while others are kept.
func TestSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	s := open(t, newFile(t), requests.Options{})
	const stay, many = 500, 20_000
	keepAll(t, s, 0, stay)
	before := size(t, s)
	for round := range 2 {
		from := stay + round*many
		keepAll(t, s, from, from+many)
		if full := size(t, s); full < 5*before {
			t.Errorf("%d bytes with %d records more, %d before", full, many, before)
		}
		for n := from; n < from+many; n += 1000 {
			var names []string
			for i := n; i < n+1000; i++ {
				names = append(names, storetest.Request(i).Name())
			}
			if err := s.Forget(t.Context(), names); err != nil {
				t.Fatal(err)
			}
		}
		if after := size(t, s); after > before+before/10 {
			t.Errorf("%d bytes after %d records were kept and forgotten, %d before", after, many, before)
		}
		if n := held(t, s); n != stay {
			t.Errorf("%d records, want %d", n, stay)
		}
	}
	if err := s.Verify(); err != nil {
		t.Error(err)
	}
}

// size returns how many bytes the file has once all was given back.
func size(t *testing.T, s *requests.Store) int64 {
	t.Helper()
	s.GiveBack()
	n, err := s.Size()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func keepAll(t *testing.T, s request.Store, from, to int) {
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := from + g; i < to; i += 64 {
				if err := s.Keep(t.Context(), storetest.Request(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// child keeps and forgets from many goroutines until it is killed, and writes a line for each
// record that was kept.
func child(path string) int {
	s, err := requests.Open(path, requests.Options{FreeSpaceFloor: -1}.Hasty())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for g := range 24 {
		wg.Go(func() {
			for i := os.Getpid()<<20 + g; ; i += 24 {
				r := storetest.Request(i)
				if err := s.Keep(context.Background(), r); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				os.Stdout.WriteString(fmt.Sprintln("kept", r.Name()))
				if i%3 == 0 {
					os.Stdout.WriteString(fmt.Sprintln("forgets", r.Name()))
					if err := s.Forget(context.Background(), []string{r.Name()}); err != nil {
						fmt.Fprintln(os.Stderr, err)
						os.Exit(1)
					}
				}
			}
		})
	}
	wg.Wait()
	return 0
}

// What was kept is there after a kill at any moment, unless it was to be forgotten.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 25
	if testing.Short() {
		kills = 8
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := newFile(t)
	kept := map[string]bool{}
	for range kills {
		killOnce(t, path, random, kept)
		s := open(t, path, requests.Options{})
		if err := s.Verify(); err != nil {
			t.Error(err)
		}
		there := map[string]bool{}
		for run, err := range s.Follow(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if len(run) == 0 {
				break
			}
			for _, r := range run {
				there[r.Name()] = true
			}
		}
		for name := range kept {
			if !there[name] {
				t.Fatalf("%s was kept, and is not there", name)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d kills: all of %d that were kept are there", kills, len(kept))
}

// killOnce kills a child after some lines, or some time, and notes what was kept.
func killOnce(t *testing.T, path string, random *rand.Rand, kept map[string]bool) {
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
	lines := random.IntN(400)
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
		if what, name, _ := strings.Cut(strings.TrimSpace(line), " "); what == "kept" {
			kept[name] = true
		} else {
			delete(kept, name)
		}
		if lines == 0 {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if stderr.Len() > 0 {
		t.Errorf("the child says: %s", stderr.String())
	}
}
