package chain_test

import (
	"slices"
	"testing"

	"sandglass/domain/money"
	"sandglass/domain/payment"
	"sandglass/domain/plan"
)

// A plan asks for 6 confirmations above a million satoshi, else for 3. What is paid in parts
// needs as many as what is paid at once.
func TestSplittingGainsNothing(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.large = plan.ConfirmationRule{Above: 1_000_000 * money.Sat, Confirmations: 6}
		h.start()
		whole := h.pays("addr-1", 10_000_000)
		parts := h.pays("addr-2", slices.Repeat([]int64{909_091}, 11)...)
		h.change(func() { h.wallet.mine() })
		for range 4 {
			h.blocks(1)
			h.want(whole, payment.StatusConfirmed)
			h.want(parts, slices.Repeat([]payment.Status{payment.StatusConfirmed}, 11)...)
		}
		h.blocks(1)
		h.want(whole, payment.StatusCredited)
		h.want(parts, slices.Repeat([]payment.Status{payment.StatusCredited}, 11)...)
	})
}

// The sum counts over transactions and blocks, with what is credited and can still be lost. Once
// that is final, it counts no more.
func TestPartsInManyBlocks(t *testing.T) {
	onChain(t, func(t *testing.T, h *harness) {
		h.large = plan.ConfirmationRule{Above: 1_000_000 * money.Sat, Confirmations: 6}
		h.start()
		mined := func(sat int64) tx {
			p := h.pays("addr-1", sat)
			h.change(func() { h.wallet.mine() })
			return p
		}
		first := mined(600_000)
		h.blocks(2)
		h.want(first, payment.StatusCredited)
		second, other := mined(600_000), h.pays("addr-2", 600_000)
		h.blocks(1)
		h.change(func() { h.wallet.mine() })
		h.blocks(2)
		h.want(second, payment.StatusConfirmed) // with 5
		h.want(other, payment.StatusCredited)
		h.blocks(1)
		h.want(second, payment.StatusCredited)
		h.blocks(10) // both are final
		third := mined(900_000)
		h.blocks(2)
		h.want(third, payment.StatusCredited)
	})
}
