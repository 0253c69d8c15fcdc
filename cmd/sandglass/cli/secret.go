package cli

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"sandglass/adapters/httpapi/client"
)

// maxSecret is how many bytes a file with a secret is read to.
const maxSecret = 4 << 10

// Role is which secret a call needs.
type Role int

const (
	Anyone      Role = iota
	MaybeHolder      // anyone, and the holder where the key is given
	Holder
	Operator
	Auditor
	Known // as the auditor or the operator, if there is a token of theirs, else as anyone
)

// Client returns what speaks to the daemon in a role.
func (e *Env) Client(as Role) (*client.Client, error) {
	u, err := url.Parse(e.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, Usage("--url %q is not a URL such as %s", e.url, defaultURL)
	}
	token, err := e.secret(as)
	if err != nil {
		return nil, err
	}
	return client.New(e.url, token)
}

// secret returns what the call shows as its bearer token.
func (e *Env) secret(as Role) (string, error) {
	switch as {
	case Anyone:
		return "", nil
	case MaybeHolder:
		if e.holderKeyFile != "" {
			return e.ReadSecret(e.holderKeyFile, "holder key")
		}
		return strings.TrimSpace(os.Getenv(EnvHolder)), nil
	case Holder:
		return e.holderKey()
	}
	files := []string{e.tokenFile}
	if as == Auditor || as == Known {
		files = append(files, os.Getenv(envAuditor))
	}
	for _, file := range append(files, os.Getenv(envOperator)) {
		if file != "" {
			return e.ReadSecret(file, "token")
		}
	}
	switch as {
	case Known:
		return "", nil
	case Auditor:
		return "", Usage("no token: give --token-file, or set %s or %s to the name of its file", envAuditor, envOperator)
	}
	return "", Usage("no operator token: give --token-file, or set %s to the name of its file", envOperator)
}

// holderKey is the key of the holder, or, where there is none, the operator's token:
// the operator may do what a holder may.
func (e *Env) holderKey() (string, error) {
	if e.holderKeyFile != "" {
		return e.ReadSecret(e.holderKeyFile, "holder key")
	}
	if key := strings.TrimSpace(os.Getenv(EnvHolder)); key != "" {
		return key, nil
	}
	if key, err := e.secret(Operator); err == nil {
		return key, nil
	}
	return "", Usage("no holder key: give --holder-key-file, or put the key into %s", EnvHolder)
}

// ReadSecret reads the first line of a file, or of stdin for -.
func (e *Env) ReadSecret(file, what string) (string, error) {
	in := e.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("reading the %s: %w", what, err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSecret))
	if err != nil {
		return "", fmt.Errorf("reading the %s from %s: %w", what, file, err)
	}
	secret, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if secret == "" {
		return "", fmt.Errorf("the %s file %s is empty", what, file)
	}
	return strings.TrimSpace(secret), nil
}
