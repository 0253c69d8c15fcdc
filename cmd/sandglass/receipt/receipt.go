// Package receipt has the commands by which a payer gets a receipt of a payment, and by which anybody checks one.
package receipt

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/cosign"
	"sandglass/domain/proof/receipt"

	"github.com/spf13/cobra"
)

// commands are run in an environment.
type commands struct{ *cli.Env }

// Cmd returns receipt, with its subcommands.
func Cmd(e *cli.Env) *cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "receipt",
		Short: "Receipts of payments, which anybody can check without the daemon",
		Example: `  sandglass receipt get ln-5f3d... --resource web-1 > receipt.txt
  sandglass receipt verify receipt.txt --policy policy.txt`,
	}
	cmd.AddCommand(c.getCmd(), c.verifyCmd())
	return cmd
}

func (c commands) getCmd() *cobra.Command {
	var id string
	var most time.Duration
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Get the receipt of a payment",
		Long: `Get the receipt of a payment, for those who know its resource: name it, or have a token of the
daemon's, or the holder key. It has the event of the log that says what the payment bought, that
it was taken back, or that it bought nothing, and the proof that it is in the log that was
signed, by c2sp.org/tlog-proof.

Until the log is signed with that event in it, and cosigned, which takes some seconds, there is
none: try again then. Keep the file: who has it needs nobody to prove what was paid.`,
		Example: "  sandglass receipt get ln-5f3d... --resource web-1 > receipt.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if most < 0 {
				return cli.Usage("--wait %s: want a time such as 2m", most)
			}
			cl, err := c.Client(cli.Known)
			if err != nil {
				return err
			}
			text, err := wait(cmd.Context(), most, show.NewProgress(c.Stderr), func(ctx context.Context) (string, error) {
				return cl.Receipt(ctx, id, args[0])
			})
			if err != nil {
				return err
			}
			if _, err := receipt.Parse(text); err != nil {
				return fmt.Errorf("what the daemon answered is no receipt: %w", err)
			}
			_, err = io.WriteString(c.Stdout, text)
			return err
		},
	}
	cmd.Flags().StringVar(&id, "resource", "", "`id` of its resource")
	cmd.Flags().DurationVar(&most, "wait", 0, "wait for a receipt that there is not yet, for up to this `time`, such as 2m")
	return cmd
}

func (c commands) verifyCmd() *cobra.Command {
	var policy, key string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a receipt, and show what was paid, what it bought, and when",
		Long: `Check a receipt, and show what was paid, what it bought, and when. It asks nobody: what it trusts
is the public key of the log with --key, as "sandglass log status" and /log/key show it, or a
policy, a file with the log's key, those of witnesses, and how many of them have to have cosigned:

  log shop.example.org/log+1234abcd+AbCd...
  witness one w.example/1+1955112c+BAUI...
  witness two w.example/2+5d3a4f6e+BPjv...
  group both all one two
  quorum both

Get the keys from another place than the receipt. It proves that the log had that event when it
was signed (of money that bought nothing, also the event that says how much came; receipts of
earlier builds don't have that, and say so); not that a later one did not take it back, and not what no log knows. FILE is - for
stdin. The exit status is 0 if the receipt proves what it says, 1 if it does not or can't be
read, and 2 if the command was not understood.`,
		Example: `  sandglass receipt verify receipt.txt --key "$(cat vkey)"
  sandglass receipt verify receipt.txt --policy policy.txt --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := trusted(policy, key)
			if err != nil {
				return err
			}
			text, err := c.read(args[0], receipt.Max)
			if err != nil {
				return err
			}
			v, err := verified(text, p)
			if err != nil {
				return fmt.Errorf("%s proves nothing: %w", args[0], err)
			}
			return v.print(c.Env)
		},
	}
	cmd.Flags().StringVar(&policy, "policy", "", "`file` that says whom to trust: c2sp.org/tlog-policy")
	cmd.Flags().StringVar(&key, "key", "", "trust the log by this `vkey` alone, whoever cosigned")
	return cmd
}

// trusted returns whom to trust.
func trusted(file, key string) (*cosign.Policy, error) {
	if (file == "") == (key == "") {
		return nil, cli.Usage("say whom to trust: by --policy FILE, or by --key VKEY, one of them")
	}
	if key = strings.TrimSpace(key); key != "" {
		if err := checkpoint.CheckVKey(key); err != nil {
			return nil, cli.Usage("--key: %w", err)
		}
		return cosign.NewPolicy(key, 0)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := cosign.ParsePolicy(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// read reads a file of at most so many bytes.
func (c commands) read(name string, most int64) (string, error) {
	in := c.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	return string(b), err
}
