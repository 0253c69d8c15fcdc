package devnet

import (
	"fmt"
	"os"

	"sandglass/testutil/devnet/btc"
	"sandglass/testutil/devnet/lnd"
)

// An Info says where a running network is, for other processes: see [Attach].
type Info struct {
	PID   int               `json:"pid"` // of the process that owns the network
	Dir   string            `json:"dir"`
	Env   map[string]string `json:"env"` // settings of a daemon on alice
	Alice lnd.Info          `json:"alice"`
	Bob   lnd.Info          `json:"bob"`
	Btcd  btc.Info          `json:"btcd"`
	Lncli string            `json:"lncli"` // path of the binary
}

// Info returns where the network is.
func (n *Network) Info() Info {
	return Info{
		PID: os.Getpid(), Dir: n.Dir(), Env: n.env(), Lncli: n.opts.Binaries.Lncli,
		Alice: n.Alice.Info, Bob: n.Bob.Info, Btcd: n.Btcd(),
	}
}

// Attach connects to a network that another process runs. All that goes through
// the nodes' own interfaces works on it; nodes can't be stopped or started, and
// Close closes the connections only.
func Attach(info Info) (*Network, error) {
	n := &Network{
		WatchMacaroon: info.Env[envWatch], IssueMacaroon: info.Env[envIssue],
		opts: Options{Binaries: Binaries{Lncli: info.Lncli}}, dir: info.Dir,
	}
	n.close = n.closeConns
	var err error
	if n.Chain, err = btc.Attach(info.Btcd, n.waitSynced); err != nil {
		return nil, err
	}
	if n.Alice, err = lnd.Attach(info.Alice, n.Chain); err != nil {
		return nil, fmt.Errorf("attach to alice: %w", err)
	}
	if n.Bob, err = lnd.Attach(info.Bob, n.Chain); err != nil {
		return nil, fmt.Errorf("attach to bob: %w", err)
	}
	return n, nil
}
