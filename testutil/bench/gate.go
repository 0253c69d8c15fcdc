package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/payment"
	"sandglass/domain/stream"
	"sandglass/testutil/bench/harness"
	"sandglass/testutil/fakelnd"
	"sandglass/testutil/proxies"
)

// visitors are at the gate at once.
const visitors = 16

// nginx serves one small file three times: to everybody, behind a gate, and behind one that asks the daemon for
// each request.
const nginx = `proxy_cache_path /var/cache/nginx/gate keys_zone=gate:1m;
upstream daemon { server 127.0.0.1:8420; keepalive 16; }
server {
    listen 127.0.0.1:8080;
    root %[2]s;
    keepalive_requests 1000000;
    location /open/ { }
    location /gate/ { auth_request /cached; }
    location /each/ { auth_request /asked; }
    location = /cached {
        internal;
        proxy_pass "http://daemon/v1/auth?resource=%[1]s&time_ms=3600000";
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_cache gate;
        proxy_cache_key "gate $http_authorization";
    }
    location = /asked {
        internal;
        proxy_pass "http://daemon/v1/auth?resource=%[1]s&time_ms=3600000";
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
}
`

// gate measures in turns what nginx serves to everybody and to whoever has paid.
func gate(ctx context.Context, b *harness.Bench) (err error) {
	if _, err := exec.LookPath("nginx"); err != nil {
		b.Say("nothing is measured: no nginx is installed here: apt-get install nginx")
		return nil
	}
	wallet, err := newWallet(b, "gate-lnd")
	if err != nil {
		return err
	}
	defer wallet.Kill()
	d, err := freshDaemon(ctx, b, "gate", wallet)
	if err != nil {
		return err
	}
	defer d.kill()
	paid, err := d.bought(ctx, wallet)
	if err != nil {
		return err
	}
	p, stop, err := serve(b, d.addr, paid.Resource.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	rates := map[string][]float64{}
	for r := range b.Rounds {
		b.Say("round %d of %d", r+1, b.Rounds)
		for _, at := range []string{"open", "gate", "each"} {
			t, err := ask(ctx, "http://"+p.Addr()+"/"+at+"/", paid.HolderKey, b.Slice)
			if err != nil {
				return err
			}
			rates[at] = append(rates[at], t.Rate())
		}
	}
	b.Add("to everybody", "requests/s", rates["open"]).
		Noting(fmt.Sprintf("%d clients in this process; nginx, with one worker, and the daemon are beside on the same machine",
			visitors))
	b.Add("behind a gate", "requests/s", rates["gate"]).Against("to everybody", rates["gate"], rates["open"], nil)
	b.Add("behind one that asks each time", "requests/s", rates["each"]).Against("to everybody", rates["each"], rates["open"], nil)
	return nil
}

// bought orders a resource, and pays for it.
func (d *daemon) bought(ctx context.Context, wallet *fakelnd.Lnd) (wire.Order, error) {
	o, err := d.Order(ctx, wire.OrderRequest{Plan: "small", Time: instant.Day, ID: "web"}, "")
	if err != nil {
		return o, err
	}
	hash, _ := payment.Key(o.Payment.Key).Hash()
	if err := wallet.Pay(hash, int64(o.Payment.Asked)); err != nil {
		return o, err
	}
	for r, err := range d.Live(ctx, o.Resource.ID) {
		if err != nil || r.Status == "running" {
			return o, err
		}
	}
	return o, errors.New("it is not running")
}

// serve starts nginx before a daemon.
func serve(b *harness.Bench, daemon, id string) (*proxies.Proxy, func() error, error) {
	root, dir := b.Path("gate-site"), b.Path("gate-nginx")
	for _, of := range []string{"open", "gate", "each"} {
		if err := os.MkdirAll(filepath.Join(root, of), 0o755); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(filepath.Join(root, of, "index.html"), []byte(strings.Repeat("paid ", 200)), 0o644); err != nil {
			return nil, nil, err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, nil, err
	}
	return proxies.Run(proxies.Kinds[0], dir, fmt.Sprintf(nginx, id, root), "127.0.0.1", daemon)
}

// ask asks for a page by many clients for a time.
func ask(ctx context.Context, url, key string, long time.Duration) (*harness.Tally, error) {
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: visitors}}
	defer hc.CloseIdleConnections()
	return harness.DoFor(visitors, long, func(string, stream.Revision) error {
		req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := hc.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s %w", url, res.Status, err)
		}
		return nil
	})
}
