// Package proxies runs the proxies that stand before a daemon, as the manual says to set them up: the
// configuration is the manual's, with the ports, the certificate and the address of the test.
package proxies

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandglass/testutil/devnet/process"
)

// Patience bounds how long a proxy takes to start, and to end.
const Patience = time.Minute

// Snippet returns the block of a document that has a line, without its indentation.
func Snippet(document, line string) (string, error) {
	var block []string
	var found bool
	for text := range strings.SplitSeq(document, "\n") {
		inner, in := strings.CutPrefix(text, "    ")
		if !in {
			if found {
				return strings.Join(block, "\n") + "\n", nil
			}
			block = nil
			continue
		}
		block = append(block, inner)
		found = found || strings.TrimSpace(inner) == line
	}
	return "", fmt.Errorf("no block has a line %q", line)
}

// Proxy is one that runs, for names of which it has a certificate.
type Proxy struct {
	addr string
	pool *x509.CertPool
}

// At returns what stands at an address and has no certificate as a proxy.
func At(addr string) *Proxy { return &Proxy{addr: addr} }

// Kind is a program that can be a proxy.
type Kind struct {
	Program string // of Debian's package of that name
	// config returns the file and the arguments by which it serves a snippet for a name.
	config func(snippet, dir, name, addr string) (file, text string, args []string)
}

// Kinds are those of the manual.
var Kinds = []Kind{{"nginx", nginx}, {"caddy", caddy}}

func nginx(snippet, dir, _, addr string) (file, text string, args []string) {
	file = filepath.Join(dir, "nginx.conf")
	var tls []string
	for line := range strings.SplitSeq(snippet, "\n") {
		switch words := strings.Fields(line); {
		case len(words) > 0 && words[0] == "ssl_certificate":
			line = "ssl_certificate " + filepath.Join(dir, "cert.pem") + ";"
		case len(words) > 0 && words[0] == "ssl_certificate_key":
			line = "ssl_certificate_key " + filepath.Join(dir, "key.pem") + ";"
		case len(words) > 0 && words[0] == "listen":
			line = strings.Replace(line, strings.TrimSuffix(words[1], ";"), addr, 1)
		case len(words) > 0 && words[0] == "proxy_cache_path":
			line = strings.Replace(line, words[1], filepath.Join(dir, "cache"), 1)
		}
		tls = append(tls, line)
	}
	text = "daemon off; worker_processes 1; error_log stderr; pid " + dir + "/pid;\nevents {}\nhttp {\naccess_log off;\n"
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += what + "_temp_path " + dir + "/" + what + ";\n"
	}
	if os.Getuid() == 0 {
		text = "user root;\n" + text
	}
	return file, text + strings.Join(tls, "\n") + "}\n", []string{"-p", dir, "-c", file, "-e", "stderr"}
}

func caddy(snippet, dir, name, addr string) (file, text string, args []string) {
	file = filepath.Join(dir, "Caddyfile")
	_, port, _ := net.SplitHostPort(addr)
	site := fmt.Sprintf("https://%s:%s {\n bind 127.0.0.1\n tls %s %s\n",
		name, port, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	snippet = strings.Replace(snippet, "http://127.0.0.1:8080 {\n", "http://127.0.0.1:"+port+" {\n bind 127.0.0.1\n", 1)
	text = "{\n admin off\n auto_https disable_redirects\n skip_install_trust\n storage file_system " + dir +
		"\n}\n" + strings.Replace(snippet, name+" {\n", site, 1)
	return file, text, []string{"run", "--config", file, "--adapter", "caddyfile"}
}

// Start runs a proxy until the test ends, which serves a snippet for a name, of a daemon at an address. It
// skips a test where the program is not installed.
func Start(t testing.TB, k Kind, snippet, name, daemon string) *Proxy {
	t.Helper()
	if _, err := exec.LookPath(k.Program); err != nil {
		t.Skipf("no %s is installed here: apt-get install %s", k.Program, k.Program)
	}
	p, stop, err := Run(k, t.TempDir(), snippet, name, daemon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Run runs a proxy until it is stopped, which serves a snippet for a name, of a daemon at an address. It has the
// folder for itself.
func Run(k Kind, dir, snippet, name, daemon string) (p *Proxy, stop func() error, err error) {
	snippet = strings.ReplaceAll(snippet, "127.0.0.1:8420", daemon)
	for range 3 { // somebody else may take the port before it
		if p, stop, err = run(k, dir, snippet, name); err == nil {
			return p, stop, nil
		}
	}
	return nil, nil, fmt.Errorf("%s: %w", k.Program, err)
}

func run(k Kind, dir, snippet, name string) (p *Proxy, stop func() error, err error) {
	ports, addr := new(process.Ports), "" // nobody else gets it before the proxy ends
	defer func() {
		if err != nil {
			ports.Release()
		}
	}()
	if err := ports.Take(&addr); err != nil {
		return nil, nil, err
	}
	pool, err := certify(dir, name)
	if err != nil {
		return nil, nil, err
	}
	file, text, args := k.config(snippet, dir, name, addr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(k.Program, args...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait(); _ = log.Close() }() // its log tells why it ended
	p = &Proxy{addr, pool}
	if err := p.await(done); err != nil {
		said, _ := os.ReadFile(log.Name())
		return nil, nil, fmt.Errorf("%w\n%s\n%s", errors.Join(err, end(cmd, done)), said, text)
	}
	return p, func() error { defer ports.Release(); return end(cmd, done) }, nil
}

func end(cmd *exec.Cmd, done <-chan struct{}) error {
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-done:
		return nil
	case <-time.After(Patience):
		_ = cmd.Process.Kill()
		<-done
		return fmt.Errorf("%s did not end", cmd.Path)
	}
}

// await waits until the proxy takes connections.
func (p *Proxy) await(ended <-chan struct{}) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(Patience)
	for {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("it ended")
		case <-late:
			return err
		case <-tick.C:
		}
	}
}

// Addr returns where it listens.
func (p *Proxy) Addr() string { return p.addr }

// Client asks the proxy, whatever the name and the port, from an address of this machine. It follows no
// redirects, as wallets do not.
func (p *Proxy) Client(t testing.TB, from string) *http.Client {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: Patience}
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "tcp", p.addr) },
		TLSClientConfig: &tls.Config{RootCAs: p.pool},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// freeAddress returns an address that nobody else gets before the test ends.
// certify writes a certificate of a name into dir, and returns who trusts it.
func certify(dir, name string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	made := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool, errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	)
}
