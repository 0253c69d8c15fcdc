package proving

import (
	"fmt"
	"strings"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/proof/verify"
)

// printProof prints what was found. A finding is a difference.
func (c command) printProof(r *verify.Report) (err error) {
	if c.JSON {
		err = show.JSON(c.Stdout, r)
	} else {
		err = c.printHeld(r)
	}
	if err == nil && r.Count > 0 {
		err = cli.ErrDifference
	}
	return err
}

func (c command) printHeld(r *verify.Report) error {
	out := &lines{}
	out.add("%s, their root is %s", show.Count(r.Events, "event"), r.Root)
	out.origins(r.Origins)
	left := false
	for i := range r.Checkpoints {
		h := &r.Checkpoints[i]
		out.held(h)
		left = left || h.Short && !h.OK && len(r.Origins) > 1
	}
	if left {
		out.add("an invoice does not say of which name of the log it is: it may be of one that was left behind, for the reason above")
	}
	for _, f := range r.Findings {
		out.add("%s: %s", f.Kind, f.Text)
	}
	switch found := show.Count(r.Count, "finding"); {
	case r.Count > int64(len(r.Findings)):
		out.add("%s, of which the first are listed", found)
	case r.Count > 0:
		out.add("%s", found)
	case len(r.Checkpoints) == 0:
		out.add("it was held against no checkpoint: keep the root, or give one that was kept with --checkpoint")
	default:
		out.add("%s", Covered(r, r.Events))
	}
	_, err := fmt.Fprint(c.Stdout, show.EscapeLines(out.text))
	return err
}

// Covered says how many of the first n events of a log are as they were, where nothing else was found.
func Covered(r *verify.Report, n int64) string {
	newer := n - r.Covered
	switch {
	case newer <= 0:
		return "all events are as they were"
	case r.Covered == 0:
		return "all events are newer than the last checkpoint"
	}
	first, are := "the first event is as it was", "are"
	if r.Covered > 1 {
		first = fmt.Sprintf("the first %s events are as they were", show.Group(r.Covered))
	}
	if newer == 1 {
		are = "is"
	}
	return fmt.Sprintf("%s; %s %s newer than the last checkpoint", first, show.Group(newer), are)
}

// origins says under which names the log was signed, as it says itself.
func (l *lines) origins(all []verify.Origin) {
	for _, o := range all {
		switch {
		case o.Reason != "":
			l.add("the log says that it is called %s since it had %s: %s", o.Origin, show.Count(o.Size, "event"), o.Reason)
		case o.Size > 0:
			l.add("the log says that its first checkpoint, as %s, was made at %s: none is older that could tell of a change",
				o.Origin, show.Count(o.Size, "event"))
		}
	}
}

// held says whether the log is that of a checkpoint, and who vouches for that.
func (l *lines) held(h *verify.Held) {
	verdict := "agrees"
	if !h.OK {
		verdict = "DIFFERS"
	}
	if h.Short {
		l.add("%s: a log of %s: %s", h.From, show.Count(h.Size, "event"), verdict)
		return
	}
	l.add("%s: %s at %s: %s", h.From, h.Origin, show.Count(h.Size, "event"), verdict)
	if h.Key == "" {
		l.add("  whoever signed it: --key or --policy say who has to have")
	} else {
		l.add("  signed by %s", h.Key)
	}
	if h.Quorum == "" {
		return
	}
	l.add("  %s", Cosigned(h))
}

// Cosigned says who cosigned a checkpoint, and whether these are enough for the policy.
func Cosigned(h *verify.Held) string {
	who := make([]string, len(h.Witnesses))
	for i, w := range h.Witnesses {
		who[i] = fmt.Sprintf("%s at %s", w.Name, show.Instant(w.At))
	}
	by := "by nobody of the policy"
	if len(who) > 0 {
		by = "by " + strings.Join(who, ", ")
	}
	enough := "as many as the policy asks for"
	if h.Quorum != verify.Reached {
		enough = "TOO FEW for the policy"
	}
	return fmt.Sprintf("cosigned %s: %s", by, enough)
}

// lines is a text that grows by lines.
type lines struct{ text string }

func (l *lines) add(format string, args ...any) { l.text += fmt.Sprintf(format, args...) + "\n" }
