package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/money"
	"sandglass/domain/payment"
)

// compare holds the credits in the log against what the wallet's node says it was paid
// over Lightning.
func (t *Tour) compare(ctx context.Context) (string, error) {
	settled, err := t.net.Settled(ctx)
	if err != nil {
		return "", err
	}
	credits, err := t.credits(ctx)
	if err != nil {
		return "", err
	}
	var sum money.Msat
	var errs []error
	for _, inv := range settled {
		errs = append(errs, is("the credit of "+inv.Hash, credits[inv.Hash], inv.Amount))
		sum += inv.Amount
	}
	errs = append(errs, is("the number of credits", len(credits), len(settled)))
	return fmt.Sprintf("%d payments, %d msat", len(settled), sum), checks(errs...)
}

// credits reads from the log what was credited for each payment_hash. A hash that was
// credited twice is an error; only an output on the chain may be, after a reorg.
func (t *Tour) credits(ctx context.Context) (map[string]money.Msat, error) {
	text, err := t.daemon.Run(ctx, nil, "events", "--from", "0", "--type", "resource.credited.", "--json")
	if err != nil {
		return nil, err
	}
	credits := map[string]money.Msat{}
	for lines := json.NewDecoder(bytes.NewReader(text)); ; {
		var e wire.Event
		var credited struct {
			Payment payment.Key `json:"payment"`
			Amount  money.Msat  `json:"amount_msat"`
		}
		err := lines.Decode(&e)
		if errors.Is(err, io.EOF) {
			return credits, nil
		}
		if err := errors.Join(err, json.Unmarshal(e.Data, &credited)); err != nil {
			return nil, err
		}
		hash, lightning := credited.Payment.Hash()
		if !lightning {
			continue
		}
		if _, twice := credits[hash]; twice {
			return nil, fmt.Errorf("payment %s was credited twice", hash)
		}
		credits[hash] = credited.Amount
	}
}

func (t *Tour) replay(ctx context.Context) (string, error) {
	text, err := t.daemon.Run(ctx, nil, "audit", "replay")
	return lastLine(text), err
}

// offline stops the daemon and replays its log.
func (t *Tour) offline(ctx context.Context) (string, error) {
	figures, err := t.daemon.Run(ctx, nil, "audit", "dump")
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(t.daemon.Log)
	dump := filepath.Join(dir, "figures.ndjson")
	if err := os.WriteFile(dump, figures, 0o600); err != nil {
		return "", err
	}
	if err := t.daemon.Stop(); err != nil {
		return "", err
	}
	text, err := t.daemon.Run(ctx, nil, "audit", "replay", "--store", t.daemon.Store, "--dump", dump)
	return lastLine(text), err
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
