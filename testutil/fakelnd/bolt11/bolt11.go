// Package bolt11 writes invoices as lnd does.
package bolt11

import (
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/lightningnetwork/lnd/lnrpc"
	"github.com/lightningnetwork/lnd/lnwire"
	"github.com/lightningnetwork/lnd/zpay32"

	"sandglass/testutil/simchain"
)

// Encode writes an invoice as its payer gets it, signed with the node's key.
func Encode(key *btcec.PrivateKey, row *lnrpc.Invoice) (string, error) {
	features := lnwire.NewRawFeatureVector(lnwire.TLVOnionPayloadRequired, lnwire.PaymentAddrRequired)
	options := []func(*zpay32.Invoice){
		zpay32.Expiry(time.Duration(row.Expiry) * time.Second),
		zpay32.PaymentAddr([32]byte(row.PaymentAddr)), zpay32.Features(lnwire.NewFeatureVector(features, lnwire.Features)),
	}
	if len(row.DescriptionHash) > 0 {
		options = append(options, zpay32.DescriptionHash([32]byte(row.DescriptionHash)))
	} else {
		options = append(options, zpay32.Description(row.Memo))
	}
	if row.ValueMsat > 0 {
		options = append(options, zpay32.Amount(lnwire.MilliSatoshi(row.ValueMsat)))
	}
	inv, err := zpay32.NewInvoice(simchain.Params, [32]byte(row.RHash), time.Unix(row.CreationDate, 0), options...)
	if err != nil {
		return "", err
	}
	return inv.Encode(zpay32.MessageSigner{SignCompact: func(msg []byte) ([]byte, error) {
		return ecdsa.SignCompact(key, chainhash.HashB(msg), true), nil
	}})
}
