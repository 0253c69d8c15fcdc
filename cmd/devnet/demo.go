package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"sandglass/cmd/devnet/tour"
	"sandglass/cmd/devnet/tour/host"
)

func demoCommand() *cobra.Command {
	var binary, listen string
	var once, quick bool
	var store host.Store
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show Sandglass at work on a network of its own",
		Long: `Start the network and the daemon on it, order two hours as a newcomer would, pay from bob's
wallet, and show the time drain until Ctrl-C. With --once do the whole tour without a
person and check each step. With --quick do that on a simulated network, for which no
node is built. Everything is gone at the end, however it ends.

The daemon listens on this machine alone. With --listen it does so at another of its addresses,
so that a phone in the same network can open the pages by the code that is printed.

With --store the event log is in an EventStoreDB or a KurrentDB that you run, in a new
namespace demo_…, and stays there. The user's password is in a file.`,
		Example: `  devnet demo --sandglass bin/sandglass
  devnet demo --sandglass bin/sandglass --listen 192.168.1.20:8420
  devnet demo --sandglass bin/sandglass --once
  devnet demo --sandglass bin/sandglass --quick
  devnet demo --sandglass bin/sandglass --once --store 'esdb://localhost:2113?tls=false'
  devnet demo --sandglass bin/sandglass --quick --store-password-file password \
    --store 'esdb://sandglass@db-1:2113,db-2:2113,db-3:2113?tlsCAFile=/etc/sandglass/db-ca.crt'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The kernel ends our children with the thread that started them: it has
			// to be one that lasts as long as we do.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			path, err := filepath.Abs(binary)
			if err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			if store, err = storeOf(store); err != nil {
				return err
			}
			if err := checkListen(listen); err != nil {
				return err
			}
			n := &nodes{progress: cmd.ErrOrStderr()}
			t := &tour.Tour{
				Sandglass: path, Program: self, Out: cmd.OutOrStdout(), Progress: n.progress, Store: store, Listen: listen,
				Title: "a private network: btcd, alice and bob", Start: n.start, Control: n.leaveInfo,
			}
			if quick {
				fmt.Fprint(t.Out, simulated)
				t.Title, t.Start = "a simulated network", startQuick
			}
			if once || quick {
				return t.Once(cmd.Context())
			}
			return t.Stay(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&binary, "sandglass", "", "the `path` of the sandglass binary")
	cmd.Flags().BoolVar(&once, "once", false, "do the whole tour without a person, check it, and end")
	cmd.Flags().BoolVar(&quick, "quick", false, "do that without real nodes: with a simulated lnd and a simulated chain")
	cmd.Flags().StringVar(&listen, "listen", "", "the `address` of the daemon, for others than this machine")
	cmd.Flags().StringVar(&store.URL, "store", "", "keep the event log at this `URL`, such as esdb://USER@HOST:2113")
	cmd.Flags().StringVar(&store.PasswordFile, "store-password-file", "", "`file` with the password of the user in that URL")
	cmd.MarkFlagsMutuallyExclusive("once", "quick")
	if err := cmd.MarkFlagRequired("sandglass"); err != nil {
		panic(err) // no such flag: a bug of ours
	}
	return cmd
}

// checkListen checks where the daemon is to listen: its links begin with that.
func checkListen(address string) error {
	if address == "" {
		return nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil || at.Addr().IsUnspecified() || at.Port() == 0 {
		return errors.New("--listen: want an address of this machine and a port, such as 192.168.1.20:8420")
	}
	return nil
}

// storeOf checks where the log is to be. Only a cluster can be named: a file is the daemon's
// own, and gone with the network.
func storeOf(s host.Store) (host.Store, error) {
	switch {
	case s.URL == "" && s.PasswordFile == "":
		return s, nil
	case !strings.HasPrefix(s.URL, "esdb://") && !strings.HasPrefix(s.URL, "esdb+discover://"):
		return s, errors.New("--store: want the URL of an EventStoreDB or a KurrentDB, such as esdb://USER@HOST:2113")
	case s.PasswordFile == "":
		return s, nil
	}
	var err error
	s.PasswordFile, err = filepath.Abs(s.PasswordFile)
	return s, err
}
