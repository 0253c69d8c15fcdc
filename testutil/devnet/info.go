package devnet

import (
	"fmt"
	"os"
)

// An Info says where a running network is, for other processes: see [Attach].
type Info struct {
	PID   int               `json:"pid"` // of the process that owns the network
	Dir   string            `json:"dir"`
	Env   map[string]string `json:"env"` // settings of a daemon on alice
	Alice NodeInfo          `json:"alice"`
	Bob   NodeInfo          `json:"bob"`
	Btcd  BtcdInfo          `json:"btcd"`
	Lncli string            `json:"lncli"` // path of the binary
}

// A NodeInfo says where an lnd is and what opens it; all but the names are paths
// and host:port.
type NodeInfo struct {
	Name   string `json:"name"`
	Pubkey string `json:"pubkey"` // identity, in hex; "" while the wallet was never open
	GRPC   string `json:"grpc"`
	P2P    string `json:"p2p"`
	Dir    string `json:"dir"` // its --lnddir

	TLSCert          string `json:"tls_cert"`
	AdminMacaroon    string `json:"admin_macaroon"`
	ReadonlyMacaroon string `json:"readonly_macaroon"`
	InvoiceMacaroon  string `json:"invoice_macaroon"`
}

// A BtcdInfo says where btcd's JSON-RPC is.
type BtcdInfo struct {
	RPC  string `json:"rpc"`
	User string `json:"user"`
	Pass string `json:"pass"`
	Cert string `json:"cert"`
}

// Info returns where the network is.
func (n *Network) Info() Info {
	return Info{
		PID: os.Getpid(), Dir: n.Dir(), Env: n.env(), Lncli: n.binaries.Lncli,
		Alice: n.Alice.NodeInfo, Bob: n.Bob.NodeInfo, Btcd: n.btcd.BtcdInfo,
	}
}

// Attach connects to a network that another process runs. All that goes through
// the nodes' own interfaces works on it; nodes can't be stopped or started, and
// Close closes the connections only.
func Attach(info Info) (*Network, error) {
	chain := &btcd{BtcdInfo: info.Btcd}
	miner, err := newMiner(chain)
	if err != nil {
		return nil, err
	}
	n := &Network{
		WatchMacaroon: info.Env[envWatch], IssueMacaroon: info.Env[envIssue],
		binaries: Binaries{Lncli: info.Lncli}, btcd: chain,
		dir: info.Dir, miner: miner,
	}
	n.Alice, n.Bob = &Node{NodeInfo: info.Alice, net: n}, &Node{NodeInfo: info.Bob, net: n}
	n.close = n.closeConns
	for _, d := range n.nodes() {
		if err := d.dial(); err != nil {
			return nil, fmt.Errorf("attach to %s: %w", d.Name, err)
		}
	}
	return n, n.btcd.connect()
}
