package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandglass/adapters/sqlite"
	"sandglass/adapters/sqlite/backup"
	"sandglass/adapters/sqlite/requests"
	"sandglass/cmd/sandglass/auditor"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/instant"
	"sandglass/domain/stream"
	"sandglass/projections"

	"github.com/spf13/cobra"
)

func checkCmd(e *cli.Env) *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read an event log from its begin to its end, and say whether it is whole",
		Long: `Read an event log from its begin to its end, beside the daemon or without one, and say
whether it is whole: the pages and the schema of the file; positions and revisions without
a gap, ids that follow from the content, times that never run backwards; an end that was
not cut off, as far as the file tells; credits that bought what their price says, one for
each payment; sums of each resource, and books that balance. The file of the orders that
nobody has paid yet is read too: PATH-requests of a backup, else requests.db beside the log.
What does not hold is listed, and the exit status is 1. Nothing is changed.

It asks no daemon and no wallet: for those there are "audit replay" and "audit reconcile".`,
		Example: `  sandglass store check
  sandglass store check --store sqlite:/mnt/backup/sandglass.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := config.Load()
			if err != nil {
				return err
			}
			place := conf.Log()
			if url != "" {
				if err := storeurl.CheckFlag(url); err != nil {
					return cli.Usage("--store %w", err)
				}
				place = conf.LogAt(url)
			}
			v, err := check(cmd.Context(), e, place, &conf)
			if err != nil {
				return err
			}
			if !place.Shared() {
				v.checkRequests(requestsBeside(place.Path()))
			}
			if url == "" {
				v.checkEnd(&conf)
			}
			return v.print(e)
		},
	}
	cmd.Flags().StringVar(&url, "store", "",
		"check the log at this `URL`, such as sqlite:PATH or esdb://HOST:2113, and not the configured one")
	return cmd
}

// checked is what a check found, as JSON.
type checked struct {
	Store    string          `json:"store"`
	Log      string          `json:"log"`                   // its id
	Position stream.Position `json:"position"`              // of its last event
	Recorded instant.Time    `json:"recorded_at,omitempty"` // when that was recorded
	Events   int64           `json:"events"`
	Count    int64           `json:"count"`  // of all that does not hold
	Broken   []broken        `json:"broken"` // the first of it
	Error    string          `json:"error,omitempty"`

	damaged bool // the file is, or it can't be folded
}

// broken is something that does not hold.
type broken struct {
	Where string `json:"where"`
	Rule  string `json:"rule"`
	Is    string `json:"is"`
	Want  string `json:"want"`
}

// verifier is a store that can be damaged, and knows how.
type verifier interface {
	Verify(ctx context.Context) error
}

var _ verifier = (*sqlite.Store)(nil)

// check reads a log. Its error is why it could not be read; what is wrong with it stands in
// what it returns.
func check(ctx context.Context, e *cli.Env, place storeurl.Place, conf *config.Config) (c *checked, err error) {
	s, err := place.OpenReadOnly(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c = &checked{Store: place.String(), Log: s.ID(), Broken: []broken{}}
	if c.Position, err = s.Head(ctx); err != nil {
		return nil, err
	}
	var damage error
	if v, ok := s.(verifier); ok {
		damage = v.Verify(ctx)
	}
	p := show.NewProgress(e.Stderr)
	found, fold := auditor.Check(ctx, s, c.Position, instant.OfDuration(conf.SettleEvery), p)
	p.Done()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c.Events, c.Count, c.Recorded = found.Events, found.Count, found.Recorded()
	for _, f := range found.Findings {
		c.Broken = append(c.Broken, broken(f))
	}
	if err := errors.Join(damage, fold); err != nil {
		c.fault(cli.Message(err))
		c.damaged = true
	}
	return c, nil
}

// requestsBeside returns where the requests of a log in a file are: those of a backup, if it is
// one with requests.
func requestsBeside(log string) string {
	if path := backup.Requests(log); !requests.Missing(path) {
		return path
	}
	return requests.Path(log)
}

// checkRequests reads the file of requests at a path, if there is one: it has to be whole, and of
// this log.
func (c *checked) checkRequests(path string) {
	if requests.Missing(path) {
		return
	}
	log, damage, err := requests.Check(path)
	if damage.Count > 0 {
		c.fault(damage.String() +
			"\nan order that nobody has paid yet, or an address of one: the daemon puts such aside when it starts, and tells so")
	}
	if err == nil && log != "" && log != c.Log {
		err = fmt.Errorf("%s is of the log %s, and this is the log %s", path, log, c.Log)
	}
	if err != nil {
		c.fault(fmt.Sprintf("%s\nit holds the orders that nobody has paid yet: to do without them, move it away", cli.Message(err)))
		c.damaged = true
	}
}

// fault counts and notes a fault of a file.
func (c *checked) fault(text string) {
	c.Count++
	c.Error = strings.TrimPrefix(c.Error+"\n"+text, "\n")
}

// checkEnd holds the end of the daemon's log against the snapshot beside it, if there is one.
func (c *checked) checkEnd(conf *config.Config) {
	v := projections.New(instant.OfDuration(conf.SettleEvery))
	if v.Load(conf.SnapshotPath(), c.Log) != nil {
		return // of this log and build
	}
	if err := v.CheckEnd(c.Position); err != nil {
		c.fault(err.Error())
	}
}

// print prints what was found. That something does not hold is an error.
func (c *checked) print(e *cli.Env) (err error) {
	if e.JSON {
		err = show.JSON(e.Stdout, c)
	} else {
		err = c.printText(e)
	}
	if err == nil && c.Count > 0 {
		err = cli.ErrDifference
	}
	return err
}

func (c *checked) printText(e *cli.Env) error {
	if c.Error != "" {
		fmt.Fprintln(e.Stdout, show.EscapeLines(c.Error))
	}
	if len(c.Broken) > 0 {
		rows := make([]string, len(c.Broken))
		for i, b := range c.Broken {
			rows[i] = show.Cells(b.Where, b.Rule, show.Short(b.Is), show.Short(b.Want))
		}
		if err := show.Table(e.Stdout, "WHERE\tWHAT MUST HOLD\tIS\tSHOULD BE", rows); err != nil {
			return err
		}
		fmt.Fprintln(e.Stdout)
	}
	verdict := "it is whole"
	if c.Count > 0 {
		verdict = show.Count(c.Count, "fault")
	}
	return show.Facts(e.Stdout,
		"log", c.Store,
		"up to", endOf(c.Position, c.Recorded),
		"events", show.Group(c.Events),
		"found", verdict)
}
