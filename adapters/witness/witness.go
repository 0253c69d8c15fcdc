// Package witness asks a witness to cosign a checkpoint, by c2sp.org/tlog-witness.
//
// What the witness answers is bounded, in bytes and in time, and nothing of it is believed here: package
// witnessing checks it.
package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/witnessing"
)

// Bounds of an answer.
const (
	Timeout   = 30 * time.Second
	maxAnswer = checkpoint.MaxNote
	maxWhy    = 200 // bytes of what is told of a refusal
)

// Client asks one witness. It implements [witnessing.Client], and is made by [New].
type Client struct {
	url  string
	http http.Client
}

// New returns a client of the witness at a URL of http or https, which add-checkpoint is put behind.
func New(to string) (*Client, error) {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("witness: the URL %.200q: want one such as https://witness.example.org/abc", to)
	}
	c := &Client{url: strings.TrimRight(to, "/") + "/add-checkpoint"}
	c.http = http.Client{Timeout: Timeout}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// Add implements [witnessing.Client].
func (c *Client) Add(ctx context.Context, r witnessing.Request) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body(r)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading its answer: %w", err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("its answer has more than %d bytes", maxAnswer)
	}
	return read(resp, answer)
}

// body writes a request.
func body(r witnessing.Request) []byte {
	b := fmt.Appendf(nil, "old %d\n", r.Old)
	for _, h := range r.Proof {
		b = append(b, h.String()+"\n"...)
	}
	return append(append(b, '\n'), r.Note...)
}

// read returns what an answer says.
func read(resp *http.Response, answer []byte) ([]byte, error) {
	switch resp.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusConflict:
		size, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
		if err != nil || size < 0 {
			return nil, errors.New("it answers 409, and not with the size that it cosigned last")
		}
		return nil, &witnessing.Elsewhere{Size: size}
	case http.StatusUnprocessableEntity:
		return nil, witnessing.ErrForked
	case http.StatusNotFound:
		return nil, witnessing.ErrUnknown
	case http.StatusForbidden:
		return nil, witnessing.ErrRefused
	}
	why := strings.ToValidUTF8(string(answer[:min(len(answer), maxWhy)]), "")
	return nil, fmt.Errorf("it answers %d: %q", resp.StatusCode, strings.TrimSpace(why))
}
