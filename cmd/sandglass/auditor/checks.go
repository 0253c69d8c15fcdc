package auditor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sandglass/cmd/sandglass/auditor/proving"
	"sandglass/cmd/sandglass/auditor/statement"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/proof/verify"
)

// checks makes those of a statement that are always made, or asked for; of the others it says how to.
func (c commands) checks(ctx context.Context, f *summaryFlags, s *sums) ([]statement.Check, error) {
	checks := []statement.Check{logCheck(s), booksCheck(s)}
	replay, err := c.replayCheck(ctx, f)
	if err != nil {
		return nil, err
	}
	reconcile, err := c.reconcileCheck(ctx, f)
	if err != nil {
		return nil, err
	}
	kept, err := c.keptChecks(ctx, f, s)
	return append(append(checks, replay, reconcile), kept...), err
}

// left is a check that was not asked for.
func left(name, how string) statement.Check {
	return statement.Check{Name: name, Result: statement.Left, Detail: how}
}

// logCheck says whether the log keeps its rules.
func logCheck(s *sums) statement.Check {
	events := show.Count(s.rules.Events, "event")
	if s.rules.Count > 0 {
		first := s.rules.Findings[0]
		return statement.Made("log", false, statement.Log, fmt.Sprintf("%s in %s, the first at %s: %s; it is %s, and should be %s",
			show.Count(s.rules.Count, "fault"), events, first.Where, first.Rule, first.Is, first.Want))
	}
	return statement.Made("log", true, statement.Log,
		events+": in order, with ids that follow from their content; each payment has one credit, of its amount, at its price")
}

// booksCheck says whether the books balance.
func booksCheck(s *sums) statement.Check {
	from, to := s.books.Opening.Trial(), s.books.Closing.Trial()
	if from != 0 || to != 0 {
		return statement.Made("books", false, statement.Log, fmt.Sprintf("they are off by %s at the begin, by %s at the end", from, to))
	}
	return statement.Made("books", true, statement.Log, "they balance at both ends, to the millisatoshi")
}

// replayCheck holds the figures of the daemon against the log, if that is asked for.
func (c commands) replayCheck(ctx context.Context, f *summaryFlags) (check statement.Check, err error) {
	if !f.replay {
		return left("replay", "--replay compares each figure of the daemon with the log"), nil
	}
	v, err := c.replayed(ctx, &replayFlags{Flags: f.Flags})
	if err != nil {
		return check, err
	}
	detail := fmt.Sprintf("%s of the daemon at position %d, and %s: %s",
		show.Count(v.Figures, "figure"), v.Position, show.Count(v.Events, "event"), show.Count(v.Count, "difference"))
	if v.Error != "" {
		detail = v.Error
	}
	return statement.Made("replay", !v.bad(), statement.Daemon, detail), nil
}

// reconcileCheck holds the log against the wallet, if that is asked for.
func (c commands) reconcileCheck(ctx context.Context, f *summaryFlags) (check statement.Check, err error) {
	if !f.reconcile {
		return left("reconcile", "--reconcile compares the log with the wallet"), nil
	}
	r, _, synced, err := c.reconciled(ctx, &reconcileFlags{Flags: f.Flags})
	if err != nil {
		return check, err
	}
	detail := fmt.Sprintf("%s by Lightning and %d on the chain at node %s, up to position %d: %s",
		show.Count(int64(r.Lightning.Wallet.Payments), "payment"), r.Chain.Wallet.Payments, r.Node, r.Position,
		show.Count(int64(len(r.Differences)), "difference"))
	if !synced && r.Block != "" {
		detail += "; the wallet has not seen the whole chain"
	}
	return statement.Made("reconcile", r.Clean(), statement.Wallet, detail), nil
}

// keptChecks hold the log against what was kept of it elsewhere, and ask who cosigned that, as far as that is asked for.
func (c commands) keptChecks(ctx context.Context, f *summaryFlags, s *sums) ([]statement.Check, error) {
	witnesses := left("witnesses", "--policy FILE says which witnesses have to have cosigned what --checkpoint gives")
	if !f.Some() {
		return []statement.Check{
			left("verify", "--checkpoint FILE, or --invoice, holds the log against what was kept of it elsewhere"), witnesses,
		}, nil
	}
	r, err := f.Hold(ctx, c.Env, &f.Flags, &verify.Log{})
	if err != nil {
		return nil, err
	}
	if f.Witnessed() {
		witnesses = witnessCheck(&r)
	}
	return []statement.Check{verifyCheck(&r, s.rules.Events), witnesses}, nil
}

// verifyCheck says whether the log is what was kept of it, of which so many events are those of the statement.
func verifyCheck(r *verify.Report, events int64) statement.Check {
	wrong := slices.DeleteFunc(slices.Clone(r.Findings), func(f verify.Finding) bool { return f.Kind == verify.Witnesses })
	if len(wrong) > 0 {
		n := r.Count - int64(len(r.Findings)-len(wrong))
		return statement.Made("verify", false, statement.Kept,
			fmt.Sprintf("%s, the first: %s", show.Count(n, "finding"), wrong[0].Text))
	}
	held := make([]string, len(r.Checkpoints))
	for i, h := range r.Checkpoints {
		held[i] = fmt.Sprintf("%s (%s)", h.From, show.Count(h.Size, "event"))
	}
	return statement.Made("verify", true, statement.Kept, fmt.Sprintf("held against %s: of the %s up to the end of the period %s",
		strings.Join(held, ", "), show.Count(events, "event"), proving.Covered(r, events)))
}

// witnessCheck says whether enough witnesses cosigned the checkpoints.
func witnessCheck(r *verify.Report) statement.Check {
	ok, said := true, []string{}
	for i := range r.Checkpoints {
		if h := &r.Checkpoints[i]; h.Quorum != "" {
			ok = ok && h.Quorum == verify.Reached
			said = append(said, h.From+" is "+proving.Cosigned(h))
		}
	}
	return statement.Made("witnesses", ok, statement.Kept, strings.Join(said, "; "))
}
