package proving

import (
	"context"
	"fmt"
	"os"

	"sandglass/cmd/sandglass/auditor/source"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/verify"

	"github.com/spf13/cobra"
)

// Against are the flags that say what a log is held against, and whose word of it counts.
type Against struct {
	checkpoints, keys  []string
	invoices, metadata []string
	policy             string
}

// Add adds the flags to a command.
func (a *Against) Add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&a.checkpoints, "checkpoint", nil,
		"hold the log against the checkpoint in this `file`; may be repeated")
	cmd.Flags().StringArrayVar(&a.keys, "key", nil, "a `vkey` that checkpoints of its name are signed with; may be repeated")
	cmd.Flags().StringVar(&a.policy, "policy", "",
		"`file` that says which key signs the log, and how many of which witnesses have to have cosigned each checkpoint")
	cmd.Flags().StringArrayVar(&a.invoices, "invoice", nil,
		"hold the log against what this `invoice`, paid or not, says of it; may be repeated")
	cmd.Flags().StringArrayVar(&a.metadata, "metadata", nil,
		"a `text` of which an invoice has the hash, as LNURL's metadata; may be repeated")
}

// Some reports whether there is anything to hold the log against.
func (a *Against) Some() bool { return len(a.checkpoints) > 0 || len(a.invoices) > 0 }

// Witnessed reports whether the witnesses' cosignatures are to be looked at.
func (a *Against) Witnessed() bool { return a.policy != "" }

// Check returns an error if what was given can't be what a log is held against.
func (a *Against) Check() error {
	if a.policy != "" && len(a.checkpoints) == 0 {
		return cli.Usage("--policy says who has to have cosigned a checkpoint: give that with --checkpoint FILE")
	}
	for _, vkey := range a.keys {
		if err := checkpoint.CheckVKey(vkey); err != nil {
			return cli.Usage("--key: %w", err)
		}
	}
	return nil
}

// trust returns whose word counts.
func (a *Against) trust() (*verify.Trust, error) {
	t := &verify.Trust{Keys: a.keys}
	if a.policy == "" {
		return t, nil
	}
	b, err := os.ReadFile(a.policy)
	if err != nil {
		return nil, err
	}
	if t.Policy, err = cosign.ParsePolicy(string(b)); err != nil {
		return nil, fmt.Errorf("%s: %w", a.policy, err)
	}
	return t, nil
}

// expected returns what the log is held against.
func (a *Against) expected(t *verify.Trust) (all []verify.Expected, err error) {
	for _, name := range a.checkpoints {
		note, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		e, err := t.Expect(name, note)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	for _, text := range a.invoices {
		e, err := fromInvoice(text, a.metadata)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// Hold reads the log that the flags name from its first event on, and holds it against what there is, and a store
// against its own checkpoint too. Tiles and the like are set in l.
func (a *Against) Hold(ctx context.Context, env *cli.Env, f *source.Flags, l *verify.Log) (r verify.Report, err error) {
	if err := a.Check(); err != nil {
		return r, err
	}
	t, err := a.trust()
	if err != nil {
		return r, err
	}
	if l.Checkpoints, err = a.expected(t); err != nil {
		return r, err
	}
	log, done, err := source.Whole(ctx, env, f, func(note []byte) error {
		own, err := t.Own(note)
		l.Checkpoints = append(l.Checkpoints, own)
		return err
	})
	if err != nil {
		return r, err
	}
	defer done()
	p, told := show.NewProgress(env.Stderr), int64(0)
	defer p.Done()
	l.Progress = func(n int64) {
		if n/tellEvery > told/tellEvery {
			p.Draw("%s events", show.Group(n))
		}
		if n/(20*tellEvery) > told/(20*tellEvery) {
			p.Log("%s events", show.Group(n))
		}
		told = n
	}
	return l.Run(ctx, log)
}
