package btc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sandglass/testutil/devnet/process"
)

const rpcUser, rpcPass = "dev", "dev"

// An Info says where btcd's JSON-RPC is.
type Info struct {
	RPC  string `json:"rpc"`
	User string `json:"user"`
	Pass string `json:"pass"`
	Cert string `json:"cert"`
}

// A btcd is a node on regtest and its JSON-RPC.
type btcd struct {
	Info
	name string
	proc *process.Process
	dir  string
	p2p  string
	http *http.Client
}

func (c *Chain) newBtcd(name string) *btcd {
	b := &btcd{name: name, dir: filepath.Join(c.opts.Dir, name), Info: Info{User: rpcUser, Pass: rpcPass}}
	b.Cert = filepath.Join(b.dir, "rpc.cert")
	return b
}

// startBtcd starts b, whose blocks pay the miner, and waits until it answers.
func (c *Chain) startBtcd(ctx context.Context, b *btcd) error {
	if err := c.opts.Ports.Take(&b.RPC, &b.p2p); err != nil {
		return err
	}
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		return err
	}
	conf := filepath.Join(b.dir, "empty.conf") // without one btcd writes its own into the home folder
	if err := os.WriteFile(conf, nil, 0o600); err != nil {
		return err
	}
	var err error
	b.proc, err = c.opts.Nursery.Run(b.name, filepath.Join(b.dir, "btcd.log"), c.opts.Binary,
		b.flags(conf, c.miner.addr.EncodeAddress())...)
	if err != nil {
		return err
	}
	return b.proc.Until(ctx, b.name+" answers", func(ctx context.Context) error {
		if err := b.connect(); err != nil {
			return err
		}
		_, _, err := b.best(ctx)
		return err
	})
}

func (b *btcd) flags(conf, miningAddr string) []string {
	return []string{
		"--regtest", "--configfile=" + conf,
		"--datadir=" + filepath.Join(b.dir, "data"), "--logdir=" + filepath.Join(b.dir, "logs"),
		"--rpcuser=" + b.User, "--rpcpass=" + b.Pass, "--rpclisten=" + b.RPC, "--listen=" + b.p2p,
		"--rpccert=" + b.Cert, "--rpckey=" + filepath.Join(b.dir, "rpc.key"),
		"--miningaddr=" + miningAddr, "--txindex", "--trickleinterval=50ms",
		"--nobanning", "--nostalldetect", "--nodnsseed", "--blockprioritysize=0",
		"--rpcmaxwebsockets=100", "--rpcmaxclients=100", "--debuglevel=info",
	}
}

// connect makes the client once btcd has written its certificate.
func (b *btcd) connect() error {
	pem, err := os.ReadFile(b.Cert)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("btcd's certificate is not whole yet")
	}
	// btcd closes the connection after each answer: the next one resumes its session.
	config := &tls.Config{RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	b.http = &http.Client{
		Transport: &http.Transport{TLSClientConfig: config},
		Timeout:   time.Minute,
	}
	return nil
}

// call calls a method of btcd's JSON-RPC; result may be nil.
func (b *btcd) call(ctx context.Context, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+b.RPC, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(b.User, b.Pass)
	resp, err := b.http.Do(req)
	if err != nil {
		return fmt.Errorf("btcd %s: %w", method, err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("btcd %s: %s: %w", method, resp.Status, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("btcd %s: %s", method, answer.Error.Message)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

// generate adds blocks to the chain, which hold what is in the mempool, and
// returns their hashes.
func (b *btcd) generate(ctx context.Context, blocks int) (hashes []string, err error) {
	err = b.call(ctx, &hashes, "generate", blocks)
	return hashes, err
}
