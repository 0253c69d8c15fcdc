package devnet

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

// The root keys of the daemon's two macaroons, which can so be revoked alone.
const (
	WatchRootKeyID = 101
	IssueRootKeyID = 102
)

// CheckMacaroonPermissions is how a daemon learns what its own macaroon may do.
// The State service needs no macaroon, and lnd knows no permission for it.
var (
	watchPermissions = []string{
		"/lnrpc.Lightning/GetInfo",
		"/lnrpc.Lightning/SubscribeInvoices",
		"/lnrpc.Lightning/ListInvoices",
		"/lnrpc.Lightning/LookupInvoice",
		"/invoicesrpc.Invoices/SubscribeSingleInvoice",
		"/lnrpc.Lightning/SubscribeTransactions",
		"/lnrpc.Lightning/GetTransactions",
		"/lnrpc.Lightning/CheckMacaroonPermissions",
		"/chainrpc.ChainNotifier/RegisterBlockEpochNtfn",
		"/chainrpc.ChainKit/GetBlock",
		"/chainrpc.ChainKit/GetBlockHash",
		"/chainrpc.ChainKit/GetBestBlock",
	}
	issuePermissions = []string{
		"/lnrpc.Lightning/AddInvoice",
		"/lnrpc.Lightning/NewAddress",
		"/invoicesrpc.Invoices/CancelInvoice",
		"/invoicesrpc.Invoices/AddHoldInvoice", "/invoicesrpc.Invoices/SettleInvoice",
		"/lnrpc.Lightning/CheckMacaroonPermissions",
	}
)

func (n *Network) bakeDaemonMacaroons(ctx context.Context) error {
	for _, bake := range []struct {
		name        string
		rootKeyID   uint64
		permissions []string
		path        *string
	}{
		{"watch.macaroon", WatchRootKeyID, watchPermissions, &n.WatchMacaroon},
		{"issue.macaroon", IssueRootKeyID, issuePermissions, &n.IssueMacaroon},
	} {
		baked, err := n.Alice.BakeMacaroon(ctx, bake.rootKeyID, bake.permissions...)
		if err != nil {
			return err
		}
		*bake.path = filepath.Join(n.Alice.Dir, bake.name)
		if err := os.Rename(baked, *bake.path); err != nil {
			return err
		}
	}
	return nil
}

// The settings of a daemon on alice.
const (
	envAddr  = "SANDGLASS_LND_ADDR"
	envCert  = "SANDGLASS_LND_TLS_CERT"
	envWatch = "SANDGLASS_LND_WATCH_MACAROON"
	envIssue = "SANDGLASS_LND_ISSUE_MACAROON"
)

// Env returns the settings of a daemon that watches alice, as NAME=VALUE.
func (n *Network) Env() []string {
	var env []string
	for name, value := range n.env() {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

func (n *Network) env() map[string]string {
	return map[string]string{
		envAddr:  n.Alice.GRPC,
		envCert:  n.Alice.TLSCert,
		envWatch: n.WatchMacaroon,
		envIssue: n.IssueMacaroon,
	}
}
