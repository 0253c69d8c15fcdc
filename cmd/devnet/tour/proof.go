package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/proof/verify"
	"sandglass/testutil/devnet"
)

// prove gets the receipt of the first payment, and has it proved by the log's key.
func (t *Tour) prove(ctx context.Context) (string, error) {
	id, key := t.long.Resource.ID, t.long.Payment.Key
	var text []byte
	err := devnet.Until(ctx, "there is a receipt", func(ctx context.Context) (err error) { // once it is signed
		text, err = t.daemon.Run(ctx, nil, "receipt", "get", key, "--resource", id)
		return err
	})
	if err != nil {
		return "", err
	}
	vkey, err := t.daemon.Run(ctx, nil, "log", "key")
	if err != nil {
		return "", err
	}
	t.vkey = strings.TrimSpace(string(vkey))
	file, err := t.keep("receipt.txt", text)
	if err != nil {
		return "", err
	}
	var proven struct {
		What, Payment, Resource string
		Amount                  money.Msat     `json:"amount_msat"`
		Time                    instant.Millis `json:"time_ms"`
		Index, Events           int64
	}
	if err := t.daemon.Ask(ctx, &proven, "receipt", "verify", file, "--key", t.vkey); err != nil {
		return "", err
	}
	return fmt.Sprintf("event %d of the %d that are signed", proven.Index, proven.Events), checks(
		is("it was", proven.What, receipt.Credited),
		is("payment", proven.Payment, key),
		is("resource", proven.Resource, id),
		is("paid", proven.Amount, cost(ordered)),
		is("bought", proven.Time, ordered),
	)
}

// keep writes a file beside the daemon's log.
func (t *Tour) keep(name string, text []byte) (path string, err error) {
	path = filepath.Join(filepath.Dir(t.daemon.Log), name)
	return path, os.WriteFile(path, text, 0o600)
}

// verify holds the log against the checkpoint that is shown and against an invoice, and then a copy of which one
// byte is another.
func (t *Tour) verify(ctx context.Context) (string, error) {
	var asked wire.Payment // before the checkpoint, which is as new or newer then
	if err := t.daemon.Ask(ctx, &asked, "resource", "pay", t.long.Resource.ID, "--time", "1m"); err != nil {
		return "", err
	}
	shown, err := t.get(ctx, "/log/0/checkpoint")
	if err != nil {
		return "", err
	}
	point, err := checkpoint.Open(shown, t.vkey)
	if err != nil {
		return "", err
	}
	file, err := t.keep("checkpoint", shown)
	if err != nil {
		return "", err
	}
	tiles := filepath.Join(filepath.Dir(file), "tiles")
	held := []string{"audit", "verify", "--checkpoint", file, "--key", t.vkey, "--invoice", asked.Request}
	var all verify.Report
	if err := t.daemon.Ask(ctx, &all, append(held, "--write-tiles", tiles)...); err != nil {
		return "", err
	}
	copied, where, err := t.forge(ctx)
	if err != nil {
		return "", err
	}
	found, err := t.finds(ctx, append(held, "--tiles", tiles, "--log", copied)...)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d events as signed; changed: %s", point.Size, found.Where), checks(
		is("checkpoints", len(all.Checkpoints), 2),
		is("events that are as they were", all.Covered, point.Size),
		is("the event that was found", found.Where, where),
	)
}

// get returns what the daemon shows everybody.
func (t *Tour) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.daemon.URL+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// forge writes a copy of the log in which the first payment is of one satoshi more, and says which event that is.
func (t *Tour) forge(ctx context.Context) (file, where string, err error) {
	log, err := t.daemon.Run(ctx, nil, "events", "--from", "0", "--json")
	if err != nil {
		return "", "", err
	}
	begin := 0
	for line := range bytes.Lines(log) {
		var e struct {
			Stream   string `json:"stream"`
			Revision int64  `json:"revision"`
			Type     string `json:"type"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return "", "", err
		}
		paid := `"amount_msat":` + strconv.FormatInt(int64(cost(ordered)), 10)
		if at := bytes.Index(line, []byte(paid)); strings.HasPrefix(e.Type, "resource.credited.") && at >= 0 {
			log[begin+at+len(paid)-4]++
			file, err = t.keep("copy.ndjson", log)
			return file, fmt.Sprintf("%s revision %d", e.Stream, e.Revision), err
		}
		begin += len(line)
	}
	return "", "", errors.New("the payment is not in the log")
}

// finds runs a command that has to find an event which is another, and returns that.
func (t *Tour) finds(ctx context.Context, args ...string) (verify.Finding, error) {
	var r verify.Report
	text, err := t.daemon.Run(ctx, nil, append(args, "--json")...)
	if err == nil {
		return verify.Finding{}, errors.New("it finds nothing")
	}
	if wrong := json.Unmarshal(text, &r); wrong != nil {
		return verify.Finding{}, errors.Join(err, wrong)
	}
	i := slices.IndexFunc(r.Findings, func(f verify.Finding) bool { return f.Kind == verify.Event })
	if i < 0 {
		return verify.Finding{}, fmt.Errorf("it names no event: %w", err)
	}
	return r.Findings[i], nil
}
