package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sandglass/cmd/devnet/tour/host"
	"sandglass/testutil/devnet"
)

func upCommand(file *string) *cobra.Command {
	var opts devnet.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the network and stay until Ctrl-C",
		Long: `Start the network, print where it is and how to point Sandglass at it, and stay
until Ctrl-C. Then, or when the process is killed, nothing of it is left.`,
		Example: `  devnet up
  devnet up --json --info ./devnet.json   # for scripts: the file is there once it is ready`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Progress = cmd.ErrOrStderr()
			return up(cmd, opts, *file, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what the info file holds, not the table")
	cmd.Flags().Int64Var(&opts.ChannelSat, "channel-sat", 0, "capacity of bob's channel (default 10 BTC)")
	cmd.Flags().Int64Var(&opts.PushSat, "push-sat", 0, "what of it is alice's at first (default a fifth)")
	cmd.Flags().StringVar(&opts.Dir, "dir", "", "folder for the data (default memory, if there is room)")
	return cmd
}

func up(cmd *cobra.Command, opts devnet.Options, file string, asJSON bool) (err error) {
	ctx := cmd.Context()
	if info, err := readInfo(file); err == nil {
		return fmt.Errorf("a devnet runs already, as process %d: stop it, or give this one another --info", info.PID)
	}
	net, err := devnet.Start(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	data, err := json.MarshalIndent(net.Info(), "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if err := writeWhole(file, data); err != nil {
		return err
	}
	defer os.Remove(file)
	if asJSON {
		_, err = cmd.OutOrStdout().Write(data)
	} else {
		err = describe(cmd.OutOrStdout(), net, file)
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(cmd.ErrOrStderr(), "devnet: stopping")
	return nil
}

func describe(w io.Writer, net *devnet.Network, file string) error {
	info := net.Info()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\nbtcd\tJSON-RPC\t%s\tuser %s, password %s, certificate %s\n",
		info.Btcd.RPC, info.Btcd.User, info.Btcd.Pass, info.Btcd.Cert)
	for _, d := range []devnet.NodeInfo{info.Alice, info.Bob} {
		fmt.Fprintf(table, "%s\tpubkey\t%s\n", d.Name, d.Pubkey)
		fmt.Fprintf(table, "\tgRPC\t%s\n\tLightning\t%s\n", d.GRPC, d.P2P)
		fmt.Fprintf(table, "\tcertificate\t%s\n\tmacaroon\t%s\n", d.TLSCert, d.AdminMacaroon)
	}
	fmt.Fprintf(table, "devnet\tinfo\t%s\n\tdata\t%s\n", file, info.Dir)
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, "\n# To run Sandglass on alice, paste this:\n")
	for _, setting := range net.Env() {
		name, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(w, "export %s=%s\n", name, host.Quote(value))
	}
	for _, d := range []devnet.NodeInfo{info.Alice, info.Bob} {
		fmt.Fprintf(w, "%s() { %s --network=regtest --rpcserver=%s --lnddir=%s \"$@\"; }\n",
			d.Name, host.Quote(info.Lncli), d.GRPC, host.Quote(d.Dir))
	}
	_, err := fmt.Fprint(w, "\nCtrl-C ends it all.\n")
	return err
}

// quote makes s one word of a shell.

// writeWhole has data appear at path at once, for a script that waits for it.
func writeWhole(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// readInfo reads what a running "devnet up" wrote.
func readInfo(path string) (devnet.Info, error) {
	var info devnet.Info
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return info, fmt.Errorf("no devnet is known at %s: start one with devnet up", path)
	}
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return info, fmt.Errorf("%s: %w", path, err)
	}
	if err := syscall.Kill(info.PID, 0); errors.Is(err, syscall.ESRCH) {
		return info, fmt.Errorf("the devnet of %s has ended: start one with devnet up", path)
	}
	return info, nil
}
