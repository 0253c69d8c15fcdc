package enforce

import (
	"context"
	"fmt"
	"strings"
)

// job is one look at a resource, and the action that comes of it. It is of one goroutine until it
// is done.
type job struct {
	goal
	k      *Keeper
	e      *kept // for the loop
	begun  Verb  // what it was begun for, for the loop: the goal is of the job's goroutine
	cancel context.CancelFunc

	known Status   // as kept has it
	is    Is       // what it is, as far as it was found
	rests Boottime // until when there is no action

	tried       bool  // it did something, or can't
	acted       bool  // it did something
	wrote       bool  // is was written, or was tried to be, before the end
	wasCanceled bool  // another thing is wanted by now
	err         error // of what it tried
}

func (j *job) run(ctx context.Context) {
	e, err := j.k.Enforcer(j.want)
	if err != nil {
		j.cannotTell(err)
		j.tried, j.err = true, err
		return
	}
	was := j.is
	if !j.isOverdue() {
		j.ask(ctx, e)
		if j.verb.IsDone(j.is.State) || j.wasCanceled {
			return
		}
	}
	switch {
	case j.k.Now() < j.rests:
		if j.is.State == was.State {
			j.is.Why = was.Why // what the last action came to
		}
	case j.verb == Start && j.is.State == Unknown && j.known.State == Up:
		j.tried = true // it was up, and "cannot tell" is not down: there is nothing to start
	case !j.renew():
		j.wasCanceled = true
	default:
		j.act(ctx, e)
	}
}

// renew reads the want again, since asking may have taken a while, and reports whether it still
// comes to the same action.
func (j *job) renew() bool {
	g := j.k.goalOf(j.e.id, &j.is)
	if g.verb != j.verb || g.want.Enforcer != j.want.Enforcer || g.want.Unit != j.want.Unit {
		return false
	}
	j.goal = g
	return true
}

// isOverdue reports whether the resource is to be stopped and, as far as is known, runs: then it
// is not asked first, which may hang.
func (j *job) isOverdue() bool {
	switch j.is.State {
	case "", Down, Gone:
		return false
	}
	return j.verb != Start && j.k.Now() >= j.rests
}

// act does what is wanted, and asks what came of it.
func (j *job) act(ctx context.Context, e Enforcer) {
	j.announce()
	limited, cancel := context.WithTimeout(ctx, j.k.Deadline)
	err := e.Do(limited, j.verb, j.want)
	cancel()
	if j.wasCanceled = ctx.Err() != nil; j.wasCanceled {
		return
	}
	j.tried, j.acted, j.err = true, true, err
	j.ask(ctx, e)
	switch {
	case err != nil:
		j.is.Why = fmt.Sprintf("%s: %v", j.verb, err)
	case j.is.State != Unknown && !j.verb.IsDone(j.is.State):
		j.is.Why = fmt.Sprintf("%s is said to be done, but it is %s %s", j.verb, j.is.State, j.is.Why)
	}
}

// announce writes what is under way. What starts is not up since it was last seen going down.
func (j *job) announce() {
	is := j.is
	switch {
	case j.verb == Start:
		if is.State = Starting; j.known.State == Down || j.known.State == Gone {
			is.Since = j.known.Since
		} else if j.is.State != Starting {
			is.Since = j.k.Now()
		}
	case j.known.State == Down:
		return // it is removed, and does not run
	default:
		if is.State = Stopping; j.is.State != Stopping {
			is.Since = j.k.Now()
		}
		is.Why = j.why
	}
	is.Generation = j.want.Generation
	j.wrote = true
	j.is = is
	_ = j.k.save(&is) // what comes of it is written too, and an error then told
}

// ask finds out what the resource is.
func (j *job) ask(ctx context.Context, e Enforcer) {
	limited, cancel := context.WithTimeout(ctx, j.k.Glance)
	defer cancel()
	s, err := e.Status(limited, j.want)
	if j.wasCanceled = ctx.Err() != nil; j.wasCanceled {
		return
	}
	if err != nil {
		j.cannotTell(err)
		return
	}
	s.Invocation = invocation(s.Invocation)
	switch s.State {
	case Up, Down, Gone, Starting, Stopping:
		j.found(s)
	default:
		j.cannotTell(fmt.Errorf("it is said to be %.80q %s", s.State, s.Why))
	}
}

// found takes what the enforcer says. Since when it is so is taken from an earlier look where the
// enforcer doesn't know.
func (j *job) found(s Status) {
	now := j.k.Now()
	known := s.Since > 0 && s.Since <= now
	switch {
	case s.State == Starting && (j.known.State == Down || j.known.State == Gone):
		s.Since = j.known.Since
	case known:
	case j.known.State == s.State && j.known.Invocation == s.Invocation:
		s.Since = j.known.Since
	case j.is.State == s.State && j.is.Invocation == s.Invocation:
		s.Since = j.is.Since
	default:
		s.Since = now
	}
	switch s.State {
	case Up, Down, Gone:
		j.known = s
	case Starting: // so it went down, or still is
		j.known = Status{State: Down, Since: s.Since}
	}
	if s.State != Stopping {
		j.is.learn(j.known)
	}
	j.is.State, j.is.Since, j.is.Invocation, j.is.Why = s.State, s.Since, s.Invocation, s.Why
	if s.State != Up && j.why != "" {
		j.is.Why = j.why
	}
}

// cannotTell says that nobody knows what the resource is.
func (j *job) cannotTell(err error) {
	if j.is.State != Unknown {
		j.is.State, j.is.Since, j.is.Invocation = Unknown, j.k.Now(), ""
	}
	j.is.Why = fmt.Sprintf("it can't be told what it is: %v", err)
}

// invocation cuts what an enforcer calls a run to what a file takes.
func invocation(s string) string {
	s = line(s)
	return strings.ToValidUTF8(s[:min(len(s), maxInvocation)], "")
}
