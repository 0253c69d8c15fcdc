package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"sandglass/adapters/httpapi/client"

	"github.com/spf13/cobra"
)

// Variables that the tools read. Tokens and keys never stand in an argument, which
// every user of the machine can see.
const (
	envURL       = prefix + "_URL"
	envOperator  = prefix + "_OPERATOR_TOKEN_FILE"
	envAuditor   = prefix + "_AUDITOR_TOKEN_FILE"
	envHolder    = prefix + "_HOLDER_KEY"
	defaultURL   = "http://127.0.0.1:8420"
	maxTokenFile = 4 << 10
)

// cli is what the commands share: the flags of the root, and the streams.
type cli struct {
	url           string
	json          bool
	tokenFile     string
	holderKeyFile string

	stdin          io.Reader
	stdout, stderr io.Writer
}

func (c *cli) flags(root *cobra.Command) {
	base := os.Getenv(envURL)
	if base == "" {
		base = defaultURL
	}
	f := root.PersistentFlags()
	f.StringVar(&c.url, "url", base, "where the daemon answers; $"+envURL)
	f.BoolVar(&c.json, "json", false, "print JSON instead of text for people")
	f.StringVar(&c.tokenFile, "token-file", "", "`file` with the operator's or auditor's token, - for stdin; $"+envOperator+", $"+envAuditor)
	f.StringVar(&c.holderKeyFile, "holder-key-file", "", "`file` with the holder key of a resource, - for stdin; the key itself may stand in $"+envHolder)
}

// role says which secret a call needs.
type role int

const (
	anyone role = iota
	holder
	operator
	auditor
)

// client returns what speaks to the daemon in a role.
func (c *cli) client(as role) (*client.Client, error) {
	u, err := url.Parse(c.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usage("--url %q is not a URL such as %s", c.url, defaultURL)
	}
	token, err := c.secret(as)
	if err != nil {
		return nil, err
	}
	return client.New(c.url, token)
}

// secret returns what the call shows as its bearer token.
func (c *cli) secret(as role) (string, error) {
	switch as {
	case anyone:
		return "", nil
	case holder:
		return c.holderKey()
	}
	files := []string{c.tokenFile}
	if as == auditor {
		files = append(files, os.Getenv(envAuditor))
	}
	for _, file := range append(files, os.Getenv(envOperator)) {
		if file != "" {
			return c.readSecret(file, "token")
		}
	}
	if as == auditor {
		return "", usage("no token: give --token-file, or set %s or %s to the name of its file", envAuditor, envOperator)
	}
	return "", usage("no operator token: give --token-file, or set %s to the name of its file", envOperator)
}

// holderKey is the key of the holder, or, where there is none, the operator's token:
// the operator may do what a holder may.
func (c *cli) holderKey() (string, error) {
	if c.holderKeyFile != "" {
		return c.readSecret(c.holderKeyFile, "holder key")
	}
	if key := strings.TrimSpace(os.Getenv(envHolder)); key != "" {
		return key, nil
	}
	if key, err := c.secret(operator); err == nil {
		return key, nil
	}
	return "", usage("no holder key: give --holder-key-file, or put the key into %s", envHolder)
}

// readSecret reads the first line of a file, or of stdin for -.
func (c *cli) readSecret(file, what string) (string, error) {
	in := c.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("reading the %s: %w", what, err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxTokenFile))
	if err != nil {
		return "", fmt.Errorf("reading the %s from %s: %w", what, file, err)
	}
	secret, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if secret == "" {
		return "", fmt.Errorf("the %s file %s is empty", what, file)
	}
	return strings.TrimSpace(secret), nil
}

// message puts an error into words for a person at a terminal.
func message(err error) string {
	var problem *client.Problem
	var unreachable *url.Error
	switch {
	case errors.As(err, &problem):
		return problemText(problem)
	case errors.As(err, &unreachable):
		u, _ := url.Parse(unreachable.URL)
		return fmt.Sprintf("no answer from %s://%s: %v: is `sandglass serve` running? --url or $%s names another place", u.Scheme, u.Host, innermost(err), envURL)
	}
	return err.Error()
}

// innermost returns what is at the bottom of an error, such as "connection refused".
func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// problemText is the detail of a problem, which says what would be right, and each of
// its faults.
func problemText(p *client.Problem) string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, f := range p.Errors {
		if strings.Contains(text, f.Message) {
			continue
		}
		text += "\n  " + strings.TrimPrefix(f.Location, "body.") + ": " + f.Message
	}
	if p.Status >= 500 && p.RequestID != "" {
		text += "\n  request " + p.RequestID
	}
	return text
}

// printJSON writes v as an indented document.
func (c *cli) printJSON(v any) error {
	e := json.NewEncoder(c.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLine writes v as a line of NDJSON.
func (c *cli) printLine(v any) error {
	e := json.NewEncoder(c.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes rows in columns. A row's cells are divided by tabs.
func table(w io.Writer, header string, rows []string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range append([]string{header}, rows...) {
		fmt.Fprintln(t, row)
	}
	return t.Flush()
}

// facts writes names and values under each other. Pairs without a value are left out.
func facts(w io.Writer, pairs ...string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", pairs[i], pairs[i+1])
		}
	}
	return t.Flush()
}

// cells joins the cells of a row. An empty cell is a dash.
func cells(values ...string) string {
	for i, v := range values {
		values[i] = orDash(v)
	}
	return strings.Join(values, "\t")
}
