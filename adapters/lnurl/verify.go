package lnurl

import (
	"encoding/hex"
	"errors"
	"net/http"

	"sandglass/domain/lightning"
	"sandglass/domain/payment"
)

// verified tells whether an invoice was paid (LUD-21).
type verified struct {
	Status   string  `json:"status"`
	Settled  bool    `json:"settled"`
	Preimage *string `json:"preimage"` // null until it is settled
	Invoice  string  `json:"pr"`
}

// notFound is in just these words (LUD-21).
const notFound = refusal("Not found")

// verify answers whether an invoice of a resource was paid. The preimage is told once it is settled:
// before that, also while the money is held, whoever has it could take the money on its way.
func (s *Service) verify(r *http.Request) (any, error) {
	hash := r.PathValue("hash")
	p, err := s.Billing.Payment(r.Context(), payment.LightningKey(hash))
	switch {
	case err != nil:
		return nil, err
	case p.Status == payment.StatusNone, p.Resource != idOf(r), p.Invoice == "":
		return nil, notFound
	}
	v := verified{Status: "OK", Invoice: p.Invoice}
	switch p.Status {
	case payment.StatusSettled, payment.StatusCredited, payment.StatusUnallocated:
	default:
		return v, nil
	}
	preimage, err := s.Preimage(r.Context(), hash)
	if errors.Is(err, lightning.ErrNoInvoice) { // of another wallet, or not asked for by a wallet's link
		return nil, refusal("it is paid, and who paid it has the proof")
	}
	if err != nil {
		return nil, err
	}
	text := hex.EncodeToString(preimage[:])
	v.Settled, v.Preimage = true, &text
	return v, nil
}
