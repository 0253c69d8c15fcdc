package keepersocket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sandglass/adapters/keepersocket"
	"sandglass/domain/enforce/access"
	"sandglass/domain/resource"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keeper is one that answers at a path.
type keeper struct {
	keepersocket.Options
	t   *testing.T
	end func() // stops it, and waits

	mu  sync.Mutex
	odd []string
}

// socket returns a path that is short enough, whatever the test is called.
func socket(t *testing.T) string {
	dir, err := os.MkdirTemp("", "ks")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, ".keeper.sock")
}

// newKeeper returns one that trusts this user, and answers with f.
func newKeeper(t *testing.T, f func(ctx context.Context, id string) (string, error)) *keeper {
	k := &keeper{t: t}
	k.Options = keepersocket.Options{
		Path: socket(t), Access: f,
		Daemon: func() (uint32, error) { return uint32(os.Geteuid()), nil },
		Odd: func(err error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.odd = append(k.odd, err.Error())
		},
	}
	return k
}

// start begins to answer.
func (k *keeper) start() *keeper {
	k.t.Helper()
	s, err := keepersocket.Listen(k.Options)
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	k.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			k.t.Error(err)
		}
	})
	k.t.Cleanup(k.end)
	return k
}

func (k *keeper) ask(id string) (string, error) { return keepersocket.Ask(k.t.Context(), k.Path, id) }

// send sends bytes and returns what is answered until the connection ends.
func (k *keeper) send(text string) string {
	k.t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: k.Path, Net: "unix"})
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, text) // it may hang up before
	_ = c.CloseWrite()
	b, _ := io.ReadAll(c) // as far as it comes
	return string(b)
}

// TestAnswers holds that what is said on one side is heard on the other.
func TestAnswers(t *testing.T) {
	text := strings.Repeat("\u2028<&>\"\\\n\té", access.MaxText/12)
	for _, test := range []struct {
		text       string
		says, want error
	}{
		{"203.0.113.7\n", nil, nil},
		{text, nil, nil},
		{strings.Repeat("<", access.MaxText), nil, nil},
		{"", access.ErrNone, access.ErrNone},
		{"", access.ErrNotUp, access.ErrNotUp},
		{"", access.ErrTooSoon, access.ErrTooSoon},
		{"", access.ErrFailed, access.ErrFailed},
		{"", fmt.Errorf("said %w", access.ErrBusy), access.ErrBusy},
		{"", errors.New("a secret"), access.ErrFailed},
		{"", nil, access.ErrNoKeeper},
		{strings.Repeat("x", access.MaxText+1), nil, access.ErrNoKeeper},
		{strings.Repeat("<", access.MaxText*2), nil, access.ErrNoKeeper},
	} {
		k := newKeeper(t, func(_ context.Context, id string) (string, error) {
			if id != "web-1" {
				t.Errorf("it asks for %q", id)
			}
			return test.text, test.says
		}).start()
		got, err := k.ask("web-1")
		heard := test.text
		if test.want != nil {
			heard = ""
		}
		if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) || got != heard {
			t.Errorf("%.20q, %v is heard as %.20q, %v", test.text, test.says, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("it tells %v", err)
		}
		k.end()
	}
}

// TestStrangers holds that the user of the wants alone is answered.
func TestStrangers(t *testing.T) {
	asked := 0
	k := newKeeper(t, func(context.Context, string) (string, error) {
		asked++
		return "here", nil
	})
	var uid atomic.Uint32
	var fails atomic.Bool
	k.Peer = func(*net.UnixConn) (uint32, error) {
		if fails.Load() {
			return 0, errors.New("no credentials")
		}
		return uid.Load(), nil
	}
	k.start()
	uid.Store(uint32(os.Geteuid()) + 1)
	if text, err := k.ask("web-1"); !errors.Is(err, access.ErrNoKeeper) || text != "" {
		t.Errorf("another user: %q, %v", text, err)
	}
	uid.Store(uint32(os.Geteuid()))
	fails.Store(true)
	if text, err := k.ask("web-1"); !errors.Is(err, access.ErrNoKeeper) || text != "" {
		t.Errorf("a user who is not known: %q, %v", text, err)
	}
	fails.Store(false)
	if text, err := k.ask("web-1"); err != nil || text != "here" {
		t.Errorf("the daemon: %q, %v", text, err)
	}
	k.end()
	if asked != 1 || len(k.odd) != 2 || !strings.Contains(k.odd[0], "alone may") {
		t.Errorf("asked %d times, told %q", asked, k.odd)
	}
}

// TestRestarts holds that a daemon is answered again by the next keeper, whatever the last one left.
func TestRestarts(t *testing.T) {
	k := newKeeper(t, func(context.Context, string) (string, error) { return "here", nil })
	if _, err := k.ask("web-1"); !errors.Is(err, access.ErrNoKeeper) {
		t.Errorf("before there was one: %v", err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: k.Path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	if _, err := k.ask("web-1"); !errors.Is(err, access.ErrNoKeeper) {
		t.Errorf("after one was killed: %v", err)
	}
	for range 2 {
		k.start()
		if text, err := k.ask("web-1"); err != nil || text != "here" {
			t.Errorf("%q, %v", text, err)
		}
		if info, err := os.Lstat(k.Path); err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("its mode is %v, %v", info.Mode(), err)
		}
		k.end()
		if _, err := os.Lstat(k.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it leaves its socket: %v", err)
		}
	}
	if err := os.WriteFile(k.Path, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keepersocket.Listen(k.Options); err == nil {
		t.Error("it replaces what is no socket")
	}
}

// TestManyAtOnce holds that no more are under way than may be, that the others are told so at once, and
// that the end of a keeper ends what hangs.
func TestManyAtOnce(t *testing.T) {
	began := make(chan struct{})
	k := newKeeper(t, func(ctx context.Context, _ string) (string, error) {
		began <- struct{}{}
		<-ctx.Done()
		return "", access.ErrFailed
	}).start()
	var wg sync.WaitGroup
	for n := range access.MaxOpen {
		wg.Go(func() {
			if text, err := k.ask(fmt.Sprintf("vm-%d", n)); err == nil {
				t.Errorf("it says %q", text)
			}
		})
	}
	for range access.MaxOpen {
		<-began
	}
	for n := range 100 {
		if _, err := k.ask(fmt.Sprintf("web-%d", n)); !errors.Is(err, access.ErrBusy) {
			t.Fatalf("the %d. of too many: %v", n, err)
		}
	}
	k.end()
	wg.Wait()
}

// TestAskerGoes holds that a daemon which waits no longer hears so at once.
func TestAskerGoes(t *testing.T) {
	began := make(chan struct{})
	k := newKeeper(t, func(ctx context.Context, _ string) (string, error) {
		close(began)
		<-ctx.Done()
		return "", access.ErrFailed
	}).start()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-began
		cancel()
	}()
	from := time.Now()
	if _, err := keepersocket.Ask(ctx, k.Path, "web-1"); !errors.Is(err, context.Canceled) || time.Since(from) > access.MaxTime {
		t.Errorf("%v after %v", err, time.Since(from))
	}
}

// TestRequests holds that a line asks for a resource, or for nothing: ten thousand of them, of which
// most are like one.
func TestRequests(t *testing.T) {
	var last atomic.Value // the id that was asked for
	last.Store("")
	k := newKeeper(t, func(_ context.Context, id string) (string, error) {
		last.Store(id)
		return "here", nil
	}).start()
	for _, text := range []string{
		"", "\n", "{}\n", "null\n", `{"access":"web-1"}`, `{"access":"Web"}` + "\n",
		`{"access":"../is"}` + "\n", `{"access":""}` + "\n",
		`{"access":"web-1","and":1}` + "\n", `{"access":"web-1"}{"access":"web-2"}` + "\n", `{"access":7}` + "\n",
		`{"access":"` + strings.Repeat("a", 65) + `"}` + "\n", `{"access":"web-1"` + strings.Repeat(" ", 256) + "}\n",
		"\x00\n", "GET / HTTP/1.1\r\n\r\n",
	} {
		if got := k.send(text); got != "" || last.Load() != "" {
			t.Errorf("%.60q is answered by %q, for %q", text, got, last.Load())
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	answered := 0
	for range 10_000 {
		text := line(random)
		last.Store("")
		got, heard := k.send(text), last.Load()
		switch id, ok := asked(text); {
		case ok && (heard != id || got != `{"text":"here"}`+"\n"):
			t.Fatalf("%q is answered by %q, for %q", text, got, heard)
		case !ok && (heard != "" || got != ""):
			t.Fatalf("%q is answered by %q, for %q", text, got, heard)
		case ok:
			answered++
		}
	}
	if answered < 1000 || answered > 9000 {
		t.Errorf("%d are answered", answered)
	}
}

// line is a request, in which up to two bytes are others.
func line(random *rand.Rand) string {
	const letters = "abz09-" + "A_./\x00\x7f é\"\\{}:,"
	id := make([]byte, 1+random.IntN(66))
	for i := range id {
		id[i] = letters[random.IntN(6)]
	}
	id[0] = 'a'
	id[len(id)-1] = 'z'
	b := []byte(`{"access":"` + string(id) + `"}` + "\n")
	for range random.IntN(3) {
		b[random.IntN(len(b))] = letters[random.IntN(len(letters))]
	}
	return string(b)
}

// asked is what a line asks for, told in another way than by the keeper.
func asked(text string) (id string, ok bool) {
	text, _, ended := strings.Cut(text, "\n")
	var fields map[string]any
	if !ended || json.Unmarshal([]byte(text), &fields) != nil || len(fields) != 1 {
		return "", false
	}
	for name, value := range fields {
		if id, ok = value.(string); !strings.EqualFold(name, "access") {
			ok = false
		}
	}
	return id, ok && resource.IsName(id)
}
