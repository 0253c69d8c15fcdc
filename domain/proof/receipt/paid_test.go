package receipt_test

import (
	"encoding/base64"
	"errors"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"sandglass/domain/payment"
	"sandglass/domain/proof"
	"sandglass/domain/proof/receipt"
)

// TestHowMuchCameIsProven: whatever is changed of the event that says how much came, or put in its place, proves nothing.
func TestHowMuchCameIsProven(t *testing.T) {
	const in = "payment-ln-00ff"
	first := &payment.Settled{Amount: 5, Via: payment.ViaBOLT11}
	b := newBooks(t, fact{"payment-ln-01", settled}, fact{in, first}, fact{in, settled}, fact{in, unallocated},
		fact{in, settled}, fact{"resource-web-1", other})
	whole := b.issue(state).String()
	r, err := receipt.Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	if r.Index != 43 || r.Paid == nil || r.Paid.Index != 42 {
		t.Fatalf("it is of %d, and of %+v", r.Index, r.Paid)
	}
	refused := func(what string, r *receipt.Receipt) {
		t.Helper()
		if _, _, err := r.Verify(b.policy); !errors.Is(err, receipt.ErrUnproven) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, i := range map[string]int64{"of another payment": 40, "later": 44, "of a resource": 45, "itself": 43, "a toy": 3} {
		path, err := b.Inclusion(t.Context(), i, b.signed)
		if err != nil {
			t.Fatal(err)
		}
		changed := *r
		changed.Paid = &receipt.Paid{Record: b.recs[i], Index: i, Proof: path}
		refused(what, &changed)
		if s, err := changed.Says(); !errors.Is(err, receipt.ErrMalformed) {
			t.Errorf("%s says %+v, %v", what, s, err)
		}
	}
	changed, paid := *r, *r.Paid
	changed.Paid, paid.Index = &paid, 41
	refused("another place", &changed)
	path, err := b.Inclusion(t.Context(), 45, b.signed)
	if err != nil {
		t.Fatal(err)
	}
	refused("beside what says enough", &receipt.Receipt{
		Record: b.recs[45], Index: 45, Proof: path, Paid: r.Paid, Note: r.Note,
	})

	line := strings.Split(whole, "\n")[1]
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "extra "))
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, err := proof.CutForm(extra); err != nil || len(rest) == 0 {
		t.Fatalf("%d bytes behind the event, %v", len(rest), err)
	}
	random := mathrand.New(mathrand.NewPCG(3, 4))
	for range 300 {
		edited := append([]byte{}, extra...)
		if edited[random.IntN(len(edited))] ^= 1 << random.IntN(8); random.IntN(3) == 0 {
			edited = edited[:random.IntN(len(edited))]
		}
		text := strings.Replace(whole, line, "extra "+base64.StdEncoding.EncodeToString(edited), 1)
		r, err := receipt.Parse(text)
		if err == nil && r.Paid == nil {
			continue // cut off behind the event: it is one that says less
		}
		if err == nil {
			_, _, err = r.Verify(b.policy)
		}
		if err == nil {
			t.Fatalf("it verifies:\n%s", text)
		}
	}
}
