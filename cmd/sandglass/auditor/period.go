package auditor

import (
	"time"

	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/instant"
	"sandglass/projections/books"

	"github.com/spf13/cobra"
)

// periodFlags say which part of a log is meant; all of it, if not said.
type periodFlags struct{ from, to string }

func (f *periodFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.from, "from", "",
		"only what was written from this `time` on: 2026-01-01, which begins in UTC, or 2026-01-01T00:00:00+01:00")
	cmd.Flags().StringVar(&f.to, "to", "", "only what was written before this `time`")
}

// period returns the period that is meant.
func (f *periodFlags) period() (p books.Period, err error) {
	if p.From, err = timeOf("--from", f.from); err == nil {
		p.To, err = timeOf("--to", f.to)
	}
	if err != nil {
		return p, err
	}
	if err := p.Check(); err != nil {
		return p, cli.Usage("--to %s, --from %s: %w", f.to, f.from, err)
	}
	return p, nil
}

// timeOf reads a day or an instant. Nothing is 0.
func timeOf(flag, s string) (instant.Time, error) {
	if s == "" {
		return 0, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		t, err := time.Parse(layout, s)
		if at := instant.Of(t); err == nil && at > 0 && at <= instant.Max {
			return at, nil
		}
	}
	return 0, cli.Usage("%s %q is not a day such as 2026-01-02, which begins in UTC, "+
		"nor an instant such as 2026-01-02T03:04:05Z or 2026-01-02T04:04:05.678+01:00", flag, s)
}
