package store

import (
	"fmt"

	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/log"

	"github.com/spf13/cobra"
)

// InitCmd returns init.
func InitCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the event log, once",
		Long: `Make an empty event log where SANDGLASS_STORE and SANDGLASS_STATE_DIR say.

It refuses a log that is there. The daemon never makes a log by itself: an empty
one in the place of a lost one would stop every customer. Orders that nobody has paid are
not in it, but beside it: in requests.db, which is made too if it is not there. So is log.key,
which the log is signed with: keep a copy of it. Its public key is printed, with the name that
SANDGLASS_PUBLIC_URL or SANDGLASS_LOG_ORIGIN give the log here. It keeps the name that it is
signed under first, by the daemon's settings: give "log status" to whoever wants to check it.

In a cluster it first tries all that the daemon will do: to read and write the log's
streams, to read $all both ways, to subscribe. What the user may not do is named, and
then nothing is made. The key of such a log is made by "sandglass log key --make".`,
		Example: `  sandglass init
  SANDGLASS_STATE_DIR=/var/lib/sandglass sandglass init`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load()
			if err != nil {
				return err
			}
			p := c.Log()
			p.Log = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "note:", text) }
			if err := p.Create(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "made the event log %s\n", p)
			if err != nil || p.Shared() { // whose key is made on the host that is to sign
				return err
			}
			vkey, err := log.NewKey(&c)
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "its public key, as this shell names the log: %s\n", vkey)
			}
			return err
		},
	}
}
