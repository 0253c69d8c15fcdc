package proving

import (
	"fmt"

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
	out.add("%s events, their root is %s", show.Group(r.Events), r.Root)
	for _, o := range r.Origins {
		switch {
		case o.Reason != "":
			out.add("the log says that it is called %s since it had %s events: %s", o.Origin, show.Group(o.Size), o.Reason)
		case o.Size > 0:
			out.add("the log says that its first checkpoint, as %s, was made at %s events: none is older that could tell of a change",
				o.Origin, show.Group(o.Size))
		}
	}
	left := false
	for _, h := range r.Checkpoints {
		verdict := "agrees"
		if !h.OK {
			verdict = "DIFFERS"
		}
		if h.Short {
			out.add("%s: a log of %s events: %s", h.From, show.Group(h.Size), verdict)
			left = left || !h.OK && len(r.Origins) > 1
			continue
		}
		out.add("%s: %s at %s events: %s", h.From, h.Origin, show.Group(h.Size), verdict)
	}
	if left {
		out.add("an invoice does not say of which name of the log it is: it may be of one that was left behind, for the reason above")
	}
	for _, f := range r.Findings {
		out.add("%s: %s", f.Kind, f.Text)
	}
	switch {
	case r.Count > int64(len(r.Findings)):
		out.add("%s findings, of which the first are listed", show.Group(r.Count))
	case r.Count > 0:
		out.add("%s findings", show.Group(r.Count))
	case len(r.Checkpoints) == 0:
		out.add("it was held against no checkpoint: keep the root, or give one that was kept with --checkpoint")
	case r.Covered < r.Events:
		out.add("the first %s events are as they were; %s are newer than the last checkpoint", show.Group(r.Covered),
			show.Group(r.Events-r.Covered))
	default:
		out.add("all events are as they were")
	}
	_, err := fmt.Fprint(c.Stdout, show.EscapeLines(out.text))
	return err
}

// lines is a text that grows by lines.
type lines struct{ text string }

func (l *lines) add(format string, args ...any) { l.text += fmt.Sprintf(format, args...) + "\n" }
