package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/enforce/wants"
	"sandglass/domain/instant"
	"sandglass/domain/resource/uptime"
	"sandglass/testutil/devnet"
)

// The times that are paid for servers, and how much later than its end, and the keeper's slack, one
// may be refused: it takes milliseconds, but the machine may have a lot to do.
const (
	serverTime = 6 * instant.Second
	moreTime   = 5 * instant.Minute
	overdue    = 5 * instant.Second
)

// server is an application server that is rented out, and is asked all the time whether it answers.
type server struct {
	id      string
	file    string       // in which it says where it answers
	until   instant.Time // its paid_until
	crashed instant.Time
	cancel  context.CancelFunc
	done    chan struct{}

	mu   sync.Mutex
	seen []answer // each that differs from the one before
	next int      // the first of them that was not waited for yet
}

// answer is what became of asking, since when it is so.
type answer struct {
	pid int // of the process that answers; 0 if none does
	url string
	at  instant.Time
}

// watch asks a server from now on whether it answers.
func (t *Tour) watch(id string) *server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{id: id, file: t.keeper.Access(id), cancel: cancel, done: make(chan struct{})}
	t.servers = append(t.servers, s)
	go func() {
		defer close(s.done)
		for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; {
			pid, url := s.ask(ctx)
			s.mu.Lock()
			if n := len(s.seen); n == 0 || s.seen[n-1].pid != pid {
				s.seen = append(s.seen, answer{pid, url, instant.Of(time.Now())})
			}
			s.mu.Unlock()
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	return s
}

// ask returns which process answers, and where; 0 if none does.
func (s *server) ask(ctx context.Context) (pid int, url string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	text, err := os.ReadFile(s.file)
	if err != nil {
		return 0, ""
	}
	url = strings.TrimSpace(string(text))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, ""
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if err != nil {
		return 0, ""
	}
	var id string
	if n, _ := fmt.Sscanf(string(body), "%s %d", &id, &pid); n != 2 || id != s.id {
		return 0, ""
	}
	return pid, url
}

// becomes waits until the server answers, or is refused, after what was waited for before.
func (s *server) becomes(ctx context.Context, answers bool) (a answer, err error) {
	what := s.id + " is refused"
	if answers {
		what = s.id + " answers"
	}
	err = devnet.Until(ctx, what, func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for ; s.next < len(s.seen); s.next++ {
			if a = s.seen[s.next]; (a.pid != 0) == answers {
				return nil
			}
		}
		return fmt.Errorf("since %s it is answered by process %d", a.at, a.pid)
	})
	return a, err
}

// ends waits until the server is refused, and checks that it was when its time was over: not before,
// and no later than the slack for what is paid in the last second allows.
func (s *server) ends(ctx context.Context) (string, error) {
	a, err := s.becomes(ctx, false)
	if err != nil {
		return "", err
	}
	late := a.at.Sub(s.until)
	return fmt.Sprintf("refused %.2f s after its end, %d s of it slack", late.Std().Seconds(), wants.Slack/instant.Second),
		holds(fmt.Sprintf("refused %s after its end", late.Std()), late >= 0 && late < wants.Slack+overdue)
}

// last returns what became of asking last.
func (s *server) last() answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[len(s.seen)-1]
}

func (s *server) end() {
	s.cancel()
	<-s.done
}

// rent orders and pays a server, and waits until it answers. before is done once it is ordered.
func (t *Tour) rent(ctx context.Context, before func(id string) error) (*server, string, error) {
	var o wire.Order
	if err := t.daemon.Ask(ctx, &o, "order", "server", "--time", serverTime.Std().String()); err != nil {
		return nil, "", err
	}
	if o.Payment == nil {
		return nil, "", errors.New("the order has no invoice")
	}
	if err := before(o.Resource.ID); err != nil {
		return nil, "", err
	}
	s := t.watch(o.Resource.ID)
	paid := instant.Of(time.Now())
	r, err := t.funded(ctx, s.id, cost(serverTime), t.bobPays(o.Payment))
	if err != nil {
		return nil, "", err
	}
	s.until = runsOut(&r)
	a, err := s.becomes(ctx, true)
	return s, fmt.Sprintf("%s answers %.2f s after it was paid", a.url, a.at.Sub(paid).Std().Seconds()), err
}

func (t *Tour) rentServer(ctx context.Context) (note string, err error) {
	t.server, note, err = t.rent(ctx, func(id string) error {
		return t.daemon.Ask(ctx, &t.more, "resource", "pay", id, "--time", moreTime.Std().String())
	})
	return note, err
}

// buyServer has a program buy one, which pays by a command of its wallet.
func (t *Tour) buyServer(ctx context.Context) (string, error) {
	wallet, err := t.net.Wallet()
	if err != nil {
		return "", err
	}
	var o wire.Order
	begin := time.Now()
	file := filepath.Join(t.net.Dir(), "server.credential")
	if err := t.daemon.Ask(ctx, &o, "buy", t.daemon.URL, "server", "--time", moreTime.Std().String(),
		"--most", cost(moreTime).String(), "--credential", file, "--pay-with", wallet); err != nil {
		return "", err
	}
	a, err := t.watch(o.Resource.ID).becomes(ctx, true)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s answers %.2f s after the command began", a.url, a.at.Std().Sub(begin).Seconds()), checks(
		is("credited", o.Resource.Credited, cost(moreTime)), holds("a holder key is told", len(o.HolderKey) >= 20),
	)
}

func (t *Tour) serverEnds(ctx context.Context) (string, error) { return t.server.ends(ctx) }

// serverReturns pays for more time.
func (t *Tour) serverReturns(ctx context.Context) (string, error) {
	paid := instant.Of(time.Now())
	r, err := t.funded(ctx, t.server.id, cost(serverTime+moreTime), t.bobPays(&t.more))
	if err != nil {
		return "", err
	}
	t.server.until = r.PaidUntil
	a, err := t.server.becomes(ctx, true)
	return fmt.Sprintf("answers %.2f s after it was paid, %s left", a.at.Sub(paid).Std().Seconds(), left(r.Remaining)), err
}

// dies kills the daemon while a server has a few seconds left: the keeper stops it by itself.
func (t *Tour) dies(ctx context.Context) (string, error) {
	if err := t.daemon.Ask(ctx, &t.missed, "resource", "pay", t.long.Resource.ID, "--time", missedTime.Std().String()); err != nil {
		return "", err
	}
	s, _, err := t.rent(ctx, func(string) error { return nil })
	if err != nil {
		return "", err
	}
	if err := t.daemon.Kill(); err != nil {
		return "", err
	}
	return s.ends(ctx)
}

// crash kills the server, which then does not start any more.
func (t *Tour) crash(ctx context.Context) (string, error) {
	if err := os.WriteFile(t.keeper.Broken(t.server.id), nil, 0o600); err != nil {
		return "", err
	}
	if err := syscall.Kill(t.server.last().pid, syscall.SIGKILL); err != nil {
		return "", err
	}
	a, err := t.server.becomes(ctx, false)
	t.server.crashed = a.at
	return "refused", err
}

// repair lets the server start, once its outage is one that counts, and has the keeper begin anew,
// which tries at once. What was paid is there when the server is.
func (t *Tour) repair(ctx context.Context) (string, error) {
	s := t.server
	v, err := t.daemon.Follow(ctx, s.id)
	if err != nil {
		return "", err
	}
	defer v.End()
	if _, err := v.Until("its outage counts", func(r *wire.Resource) bool { return r.Status == "starting" }); err != nil {
		return "", err
	}
	if err := errors.Join(os.Remove(t.keeper.Broken(s.id)), t.keeper.Kill(), t.keeper.Start(t.daemon)); err != nil {
		return "", err
	}
	a, err := s.becomes(ctx, true)
	if err != nil {
		return "", err
	}
	r, err := v.Until("it is known to run", func(r *wire.Resource) bool { return r.Status == "running" })
	if err != nil {
		return "", err
	}
	down, moved := a.at.Sub(s.crashed), r.PaidUntil.Sub(s.until)
	s.until = r.PaidUntil
	return fmt.Sprintf("it was down for %.1f s, and %.1f s of them were not billed", down.Std().Seconds(), moved.Std().Seconds()),
		holds("its end moved by "+moved.Std().String(), moved >= uptime.MinOutage && moved < down+overdue)
}

// refund orders what the keeper can't start, since there is no such program. What is paid is held until
// it is up, and goes back.
func (t *Tour) refund(ctx context.Context) (string, error) {
	if _, err := t.daemon.Run(ctx, nil, "plan", "publish", "nothing", "--price", "1sat", "--per", "1s", "--min", "1s", "--max", "1h",
		"--grace", "1h", "--enforcer", "process", "--hold", "--start-within", "3s"); err != nil {
		return "", err
	}
	var o wire.Order
	if err := t.daemon.Ask(ctx, &o, "order", "nothing", "--time", "1m"); err != nil {
		return "", err
	}
	if o.Payment == nil {
		return "", errors.New("the order has no invoice")
	}
	back, err := t.net.PayHeld(ctx, o.Payment.Request)
	if err != nil {
		return "", err
	}
	v, err := t.daemon.Follow(ctx, o.Resource.ID)
	if err != nil {
		return "", err
	}
	defer v.End()
	r, err := v.Until("it is released", func(r *wire.Resource) bool { return r.Status == "released" }) // once it went back
	if err != nil {
		return "", err
	}
	return "60 sat were held, and are his again", checks(
		holds("the payer has it", back),
		is("credited", r.Credited, 0),
	)
}
