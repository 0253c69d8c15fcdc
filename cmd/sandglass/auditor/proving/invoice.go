package proving

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/verify"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/zpay32"
)

// errHashed says that the text of an invoice is elsewhere.
var errHashed = errors.New("it has the hash of a text in place of a description, as wallets get it that pay by an address or " +
	"a link: give the text that came with it, byte for byte, with --metadata")

// fromInvoice returns the checkpoint that an invoice has, in its description or in one of the texts whose hash it has.
// It was signed by the node that it names, and is read whether it was paid or not.
func fromInvoice(text string, shown []string) (verify.Expected, error) {
	text = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "lightning:")
	inv, err := decode(text)
	if err != nil {
		return verify.Expected{}, fmt.Errorf("the invoice %.40s: %w", text, err)
	}
	from := fmt.Sprintf("the invoice %.20s… of the node %x", text, inv.Destination.SerializeCompressed())
	said, err := described(inv, shown)
	if err != nil {
		return verify.Expected{}, fmt.Errorf("%s: %w", from, err)
	}
	b, ok := checkpoint.FindBrief(said)
	if !ok {
		return verify.Expected{}, fmt.Errorf("%s: %.200q has no checkpoint, which is log, a number and 32 letters: "+
			"it was made before there was one, with SANDGLASS_INVOICE_CHECKPOINT=false, or elsewhere", from, said)
	}
	return verify.Expected{From: from, Checkpoint: b.Full(), Short: true}, nil
}

// described returns the text that the payer of an invoice was shown.
func described(inv *zpay32.Invoice, shown []string) (string, error) {
	if inv.DescriptionHash == nil {
		if inv.Description == nil {
			return "", errors.New("it has no description")
		}
		return *inv.Description, nil
	}
	i := slices.IndexFunc(shown, func(text string) bool { return sha256.Sum256([]byte(text)) == *inv.DescriptionHash })
	if i < 0 {
		return "", fmt.Errorf("%w; the hash is %s", errHashed, hex.EncodeToString(inv.DescriptionHash[:]))
	}
	return shown[i], nil
}

// decode reads an invoice of whichever network, and checks its signature.
func decode(text string) (*zpay32.Invoice, error) {
	nets := []*chaincfg.Params{ // lnbcrt before lnbc, and lntbs before lntb, which they begin with
		&chaincfg.RegressionNetParams, &chaincfg.MainNetParams, &chaincfg.SigNetParams, &chaincfg.TestNet3Params,
	}
	names := []string{"lnbcrt", "lnbc", "lntbs", "lntb"}
	for i, name := range names {
		if strings.HasPrefix(text, name) {
			return zpay32.Decode(text, nets[i])
		}
	}
	return nil, errors.New("want an invoice of Lightning, which begins with lnbc")
}
