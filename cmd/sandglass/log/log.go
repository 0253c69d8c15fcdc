// Package log has the commands about what is signed of the log.
package log

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/notefiles"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/proof"
	"sandglass/domain/proof/fork"

	"github.com/spf13/cobra"
)

// commands are run in an environment.
type commands struct{ *cli.Env }

// Cmd returns log.
func Cmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "log",
		Short: "What is signed of the log, by which key, and under which name",
		Example: `  sandglass log status
  sandglass log key`,
	}
	cmd.AddCommand(c.statusCmd(), c.keyCmd(), c.forkCmd())
	return cmd
}

func (c commands) statusCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what is signed of the log, and whether it still is what was signed",
		Long: `Show what is signed of the log, and whether it still is what was signed. It asks the daemon at
--url, and needs no token: the same is at /log/, for everybody. How many events there are is as
of the daemon's last look, one every ten seconds.

The exit status is 1 while there is an alarm: then nothing is signed, and it says why.`,
		Example: `  sandglass log status
  sandglass log status --json
  curl -s http://127.0.0.1:8420/log/0/checkpoint`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.Client(cli.Anyone)
			if err != nil {
				return err
			}
			l, err := cl.Log(cmd.Context())
			if err != nil {
				return err
			}
			if c.JSON {
				err = show.JSON(c.Stdout, l)
			} else {
				err = c.show(&l)
			}
			if err == nil && l.Alarm != "" {
				err = fmt.Errorf("nothing is signed now: %s: %s", l.Alarm, l.Detail)
			}
			return err
		},
	}
}

func (c commands) show(l *wire.Log) error {
	if len(l.Forks) == 0 {
		_, err := fmt.Fprintf(c.Stdout, "the log has %s, and is not signed yet\n", proof.Events(l.Events))
		return err
	}
	now, signed := l.Forks[len(l.Forks)-1], "of which %d are signed"
	switch {
	case l.Signed > l.Events:
		signed = "and %d were signed"
	case l.Signed == 1:
		signed = "of which %d is signed"
	}
	_, err := fmt.Fprintf(c.Stdout,
		"the log has %s, "+signed+"\n  origin  %s\n  key     %s\n  at      /log/%d/\n",
		proof.Events(l.Events), l.Signed, now.Origin, now.VKey, now.Fork)
	for _, one := range l.Forks {
		if one.Reason != "" && err == nil {
			_, err = fmt.Fprintf(c.Stdout, "  forked  %s, as /log/%d/: %s\n", one.Since, one.Fork, show.Escape(one.Reason))
		}
	}
	return err
}

func (c commands) forkCmd() *cobra.Command {
	var r wire.ForkRequest
	cmd := &cobra.Command{
		Use:   "fork --reason TEXT",
		Short: "Sign the log as it is now under another name, since it is not what was signed",
		Long: `Sign the log as it is now under another name, since it is not what was signed.

A daemon that finds that its log has fewer events than it has signed, or others, signs nothing
more: "log status" says what is gone or changed. Put back what is newer, if there is something.
If there is not, such as after a backup was restored, this leaves behind what was signed.

It is for ever, and everybody is told: the reason, when it was, and the last checkpoint that
was left behind stand in the log and at /log/. Whoever kept a checkpoint of before can show
that the log is not the same. It is refused where the log is what was signed, unless it is to
have the name that SANDGLASS_LOG_ORIGIN, or the public URL, gives it now.

"store restore" leaves a mark in the log where later checkpoints may be lost, and the daemon
signs nothing until this was done. It can't know of a store that was put back by other means,
such as an image of the disk with the state folder: then say so by --put-back, before anything
else is done.`,
		Example: `  sandglass log fork --reason "the disk broke, and the backup of Monday was restored"
  sandglass log fork --put-back --reason "the machine runs from its image of Monday again"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Reason == "" {
				return cli.Usage("say why, by --reason TEXT: everybody can read it for ever")
			}
			cl, err := c.Client(cli.Operator)
			if err != nil {
				return err
			}
			one, err := cl.ForkLog(cmd.Context(), r)
			switch {
			case err != nil:
				return err
			case c.JSON:
				return show.JSON(c.Stdout, one)
			}
			_, err = fmt.Fprintf(c.Stdout, "the log is signed as %s now, at /log/%d/\nkey %s\n", one.Origin, one.Fork, one.VKey)
			return err
		},
	}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why, for everybody to read: up to 500 bytes")
	cmd.Flags().BoolVar(&r.PutBack, "put-back", false,
		"the store was put back by other means than \"store restore\", and is an older one than it was")
	return cmd
}

func (c commands) keyCmd() *cobra.Command {
	var make bool
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Show the public key of the log, or make the key",
		Long: `Show the public key by which the log of this host is signed, as verifiers take it: give it to
whoever wants to check the log. The private one is log.key in the state folder: keep a copy of
it where nobody else comes to it.

"sandglass init" makes it, and so does the first start of a daemon on a log in a file. For a
log in a cluster make it yourself by --make, on the host that is to sign it, once the daemons
of all hosts are of this build: run it as the daemon's user. It replaces none.`,
		Example: `  sandglass log key
  runuser -u sandglass -- env SANDGLASS_STATE_DIR=/var/lib/sandglass sandglass log key --make`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := config.Load()
			if err != nil {
				return err
			}
			if make {
				return c.makeKey(&s)
			}
			return c.showKey(cmd, &s)
		},
	}
	cmd.Flags().BoolVar(&make, "make", false, "make it, where there is none")
	return cmd
}

func (c commands) makeKey(s *config.Config) error {
	k, err := notefiles.MakeKey(s.StateDir, s.Origin())
	if err != nil {
		return err
	}
	vkey, err := k.VKey(cmp.Or(s.Origin(), k.Invalid()))
	if err == nil {
		_, err = fmt.Fprintf(c.Stdout, "made %s, which the daemon takes at its next start; by the name of a log that was not signed "+
			"yet the public key is\n%s\n", filepath.Join(s.StateDir, notefiles.KeyFile), vkey)
	}
	return err
}

// showKey shows the key by the name that the log has, or will have.
func (c commands) showKey(cmd *cobra.Command, s *config.Config) (err error) {
	k, err := notefiles.Key(s.StateDir)
	if err == nil && k == nil {
		err = fmt.Errorf("there is no %s: this host does not sign; \"sandglass log status\" asks a daemon for the public key",
			filepath.Join(s.StateDir, notefiles.KeyFile))
	}
	if err != nil {
		return err
	}
	store, err := s.Log().OpenReadOnly(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	names := &fork.Handler{Aggregate: fork.Aggregate(), Store: store}
	out, err := names.Load(cmd.Context(), fork.ID)
	if err != nil {
		return err
	}
	origin, named := cmp.Or(s.Origin(), k.Invalid()), ""
	if now, opened := out.State.Now(); opened {
		origin, named = now.Origin, now.VKey
	}
	vkey, err := k.VKey(origin)
	if err == nil {
		_, err = fmt.Fprintln(c.Stdout, vkey)
	}
	if err == nil && named != "" && named != vkey {
		err = errors.New("the log is signed by another key: " + named)
	}
	return err
}

// NewKey makes the key of a log that is made, if there is none, and returns the public one.
func NewKey(s *config.Config) (vkey string, err error) {
	k, err := notefiles.Key(s.StateDir)
	if err == nil && k == nil {
		k, err = notefiles.MakeKey(s.StateDir, s.Origin())
	}
	if err != nil {
		return "", err
	}
	return k.VKey(cmp.Or(s.Origin(), k.Invalid()))
}
