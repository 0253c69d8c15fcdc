package payer

import (
	"bytes"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/cmd/sandglass/cli"
	"sandglass/domain/instant"

	"github.com/google/go-cmp/cmp"
)

const (
	depositKey = "btc-0f0f-1"
	theAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
)

// deposit is of 50,000 sat, which buy two hours when they have three confirmations.
func deposit(status string, confirmations int64) wire.Payment {
	vout := uint32(1)
	return wire.Payment{
		Key:           depositKey,
		Status:        status,
		Resource:      "web-1",
		Amount:        50_000_000,
		Address:       theAddress,
		TxID:          "0f0f",
		Vout:          &vout,
		Confirmations: &confirmations,
		Required:      3,
		ExpectedTime:  2 * instant.Hour,
	}
}

func pending(payments ...wire.Payment) *wire.Resource {
	return &wire.Resource{ID: "web-1", Status: "awaiting", Pending: payments}
}

func TestDepositText(t *testing.T) {
	unknown, unneeded, nothing := deposit("confirmed", 0), deposit("confirmed", 1), deposit("seen", 0)
	unknown.Confirmations, unneeded.Required = nil, 0
	nothing.Confirmations, nothing.Required, nothing.ExpectedTime = nil, 0, 0
	for _, c := range []struct {
		deposit wire.Payment
		want    string
	}{
		{deposit("seen", 0), "0/3 confirmations, about 2h when it counts"},
		{deposit("confirmed", 1), "1/3 confirmations, about 2h when it counts"},
		{deposit("reorged", 0), "0/3 confirmations, its block has left the chain, about 2h when it counts"},
		{unknown, "of 3 confirmations that it needs, about 2h when it counts"},
		{unneeded, "1 confirmation, about 2h when it counts"},
		{nothing, ""},
	} {
		want := strings.TrimSpace("0.00050000 BTC (50,000,000 msat) " + c.want)
		if got := depositText(&c.deposit); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAResourceShowsItsDeposits(t *testing.T) {
	var out bytes.Buffer
	r := pending(deposit("confirmed", 1), wire.Payment{Key: "ln-1", Status: "requested", Asked: 7_200_000})
	r.Address, r.HeldUntil, r.ReleaseAt = theAddress, 1_767_225_600_000, 1_767_225_600_000
	if err := (commands{&cli.Env{Stdout: &out}}).printResource(r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"released at  2026-01-01 00:00:00 UTC\n",
		"held until   2026-01-01 00:00:00 UTC, for a deposit\n",
		"address      " + theAddress + "\n",
		"\nPENDING    AMOUNT     BEFORE  PAYMENT\nrequested  7,200 sat  -       ln-1\n",
		"\nDEPOSIT    ON THE CHAIN  ",
		"\nconfirmed  0.00050000 BTC (50,000,000 msat) 1/3 confirmations, about 2h when it counts  " + depositKey + "\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestDepositNews(t *testing.T) {
	seen, one, two := pending(deposit("seen", 0)), pending(deposit("confirmed", 1)), pending(deposit("confirmed", 2))
	credited := pending()
	credited.Lots = []wire.Lot{{Payment: depositKey, Amount: 50_000_000}}
	held := pending(deposit("seen", 0))
	held.HeldUntil = 1_767_225_600_000
	text := "0.00050000 BTC (50,000,000 msat) "
	for _, c := range []struct {
		name        string
		before, now *wire.Resource
		want        []string
	}{
		{"seen before anybody looked", nil, seen, []string{
			"deposit seen: " + text + "0/3 confirmations, about 2h when it counts",
		}},
		{"seen", pending(), seen, []string{"deposit seen: " + text + "0/3 confirmations, about 2h when it counts"}},
		{"nothing new", seen, seen, nil},
		{"confirmed", seen, one, []string{"deposit confirmed: " + text + "1/3 confirmations, about 2h when it counts"}},
		{"a block later", one, two, []string{"deposit confirmed: " + text + "2/3 confirmations, about 2h when it counts"}},
		{"credited", two, credited, nil},
		{"reorged", credited, pending(deposit("reorged", 0)), []string{
			"deposit reorged: " + text + "0/3 confirmations, its block has left the chain, about 2h when it counts",
		}},
		{"replaced", seen, pending(), []string{
			"a deposit of 0.00050000 BTC will not come: sandglass payment show " + depositKey + " --resource web-1",
		}},
		{"of no resource", two, pending(deposit("unallocated", 3)), nil},
		{"it holds off release", seen, held, []string{"held until 2026-01-01 00:00:00 UTC, for a deposit"}},
	} {
		if diff := cmp.Diff(c.want, depositNews(c.before, c.now)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if got := news(nil, seen); len(got) != 2 || got[0] != "web-1 is awaiting, 0s left" {
		t.Errorf("the first look: %q", got)
	}
	if deposited(pending(), credited) == nil || deposited(credited, credited) != nil {
		t.Error("what counts since is not told")
	}
}

func TestAPaymentOnTheChainIsShownWhole(t *testing.T) {
	var out bytes.Buffer
	p := deposit("credited", 101)
	p.Height, p.Block, p.Final, p.Required, p.ExpectedTime, p.Via = 700, "00ab", true, 0, 0, "onchain"
	e := &cli.Env{Stdout: &out}
	if err := PrintPayment(e, p, nil); err != nil {
		t.Fatal(err)
	}
	want := `payment    btc-0f0f-1
status     credited
resource   web-1
arrived    50,000 sat
via        onchain
txid       0f0f
output     1
address    ` + theAddress + `
confirmed  101 confirmations
height     700
block      00ab
final      yes, it is not watched any more
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := PrintPayment(e, deposit("seen", 0), nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nseen       50,000 sat\nbuys       about 2h when it counts\n",
		"\nconfirmed  0/3 confirmations\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// invoice is an open one, of so many letters, that can be paid to an address too.
func invoice(letters int) *wire.Payment {
	request := "lnbcrt864u1" + strings.Repeat("qpzry9x8gf2tvdw0s3jn54khce6mua7l", letters/32+1)[:letters-11]
	return &wire.Payment{
		Key: "ln-1", Status: "requested", Asked: 86_400_000, Request: request, Address: theAddress,
		URI: "bitcoin:" + strings.ToUpper(theAddress) + "?amount=0.000864&lightning=" + strings.ToUpper(request),
	}
}

// A code is drawn of address and invoice or, where that is too wide, of the invoice alone.
func TestCodes(t *testing.T) {
	p := invoice(350)
	both, alone := codes(p), strings.ToUpper(p.Request)
	if diff := cmp.Diff([]string{p.URI, alone}, both); diff != "" {
		t.Error(diff)
	}
	p.Address = ""
	if diff := cmp.Diff([]string{alone}, codes(p)); diff != "" {
		t.Errorf("of no address: %s", diff)
	}
}

func TestAnInvoiceIsPrintedWithItsAddress(t *testing.T) {
	var out bytes.Buffer
	p := invoice(350)
	if err := (commands{&cli.Env{Stdout: &out}}).printInvoice(p, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\ninvoice  " + p.Request + "\n",
		"\naddress  " + theAddress + "\n",
		"\nlink     " + p.URI + "\n",
		"\n\n████",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// Parameters that are lost are told beside their hash.
func TestLostParameters(t *testing.T) {
	r := &wire.Resource{ParamsHash: "5f3d"}
	if got := params(r); got != "5f3d" {
		t.Errorf("got %q", got)
	}
	r.Found = &wire.Found{ParamsMissing: true}
	if got := params(r); !strings.HasPrefix(got, "5f3d, ") || !strings.Contains(got, "resource set") {
		t.Errorf("got %q", got)
	}
}
