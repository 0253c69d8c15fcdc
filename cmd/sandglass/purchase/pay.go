package purchase

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sandglass/adapters/httpapi/client"
	"sandglass/cmd/sandglass/cli"
	"sandglass/cmd/sandglass/show"
	"sandglass/domain/money"
	"sandglass/domain/payment"

	"github.com/btcsuite/btcd/btcutil/bech32"
)

// An invoice is BOLT 11: it has no characters that mean something to a shell. Its amount stands before the last 1.
var bolt11 = regexp.MustCompile(`^ln[a-z]+([0-9]{1,17})([munp]?)1[02-9a-z]+$`)

// perUnit is how many tenths of a msat the parts of a bitcoin are that an amount is counted in.
var perUnit = map[string]int64{"": 1e12, "m": 1e9, "u": 1e6, "n": 1e3, "p": 1}

// amountOf returns what an invoice asks for, or false if it is none, or leaves that to the payer.
func amountOf(invoice string) (money.Msat, bool) {
	if invoice == strings.ToUpper(invoice) {
		invoice = strings.ToLower(invoice)
	}
	m := bolt11.FindStringSubmatch(invoice)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // 17 digits can be read
	if n > math.MaxInt64/perUnit[m[2]] {
		return 0, false
	}
	return money.Msat(n * perUnit[m[2]] / 10), true
}

// hashOf returns the payment hash of an invoice, "" where it has none, or no wallet would pay it.
func hashOf(invoice string) string {
	const stamp, signature, isHash, words = 7, 104, 1, 52 // of five bits each
	_, data, err := bech32.DecodeNoLimit(invoice)
	if err != nil || len(data) < stamp+signature {
		return ""
	}
	for data = data[stamp : len(data)-signature]; len(data) >= 3; {
		kind, n := data[0], int(data[1])<<5|int(data[2])
		if data = data[3:]; n > len(data) {
			return ""
		}
		if kind == isHash && n == words { // of two, the first is paid
			if hash, err := bech32.ConvertBits(data[:n], 5, 8, false); err == nil {
				return hex.EncodeToString(hash)
			}
		}
		data = data[n:]
	}
	return ""
}

// A token is base64: nothing in it means something to a shell, or a terminal.
var base64 = regexp.MustCompile(`^[A-Za-z0-9+/_-]+=*$`)

// checkDue returns why what is due is not to be paid, or nil.
func (b *buying) checkDue(due *client.Due) error {
	hash, ok := payment.Key(due.Payment.Key).Hash()
	asked, isInvoice := amountOf(due.Payment.Request)
	switch {
	case !ok || !isInvoice:
		return fmt.Errorf("what is to be paid is no invoice of an amount: %.60q", due.Payment.Request)
	case hashOf(due.Payment.Request) != "" && hashOf(due.Payment.Request) != hash: // what proves it would prove nothing
		return fmt.Errorf("the invoice is not that of the payment %s, which is to be proved: nothing was paid", hash)
	case asked != due.Payment.Asked:
		return fmt.Errorf("the invoice is of %s, and %s are to be paid: nothing was", show.Amount(asked),
			show.Amount(due.Payment.Asked))
	case b.request.Amount != 0 && asked != b.request.Amount:
		return fmt.Errorf("the invoice is of %s, and you pay %s: nothing was paid", show.Amount(asked), show.Amount(b.request.Amount))
	case !base64.MatchString(due.Token):
		return fmt.Errorf("what a credential is made of is no token: %.60q", due.Token)
	}
	return b.afford(asked)
}

// afford returns why a price is not to be paid, or nil: it is above the bound, or nobody has agreed to it.
func (b *buying) afford(price money.Msat) error {
	costs := fmt.Sprintf("%s costs %s", b.what(), show.Amount(price))
	switch {
	case b.most.Msat != 0 && price > b.most.Msat:
		return fmt.Errorf("%s, and --most is %s: nothing was paid", costs, show.Amount(b.most.Msat))
	case b.most.Msat != 0 || b.request.Amount != 0:
		return nil
	case !show.IsTerminal(b.Stdin) || !show.IsTerminal(b.Stderr):
		return fmt.Errorf("%s: nothing was paid. Give --most %dmsat to pay that", costs, price)
	}
	fmt.Fprintf(b.Stderr, "%s. Pay it? [y/N] ", costs)
	answer, _ := bufio.NewReader(b.Stdin).ReadString('\n') // none is no
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("nothing was paid")
	}
	return nil
}

// what names what is bought, for people.
func (b *buying) what() string {
	of := b.request.Plan
	if of == "" {
		of = b.request.Resource
	}
	if b.request.Time != 0 {
		return b.request.Time.InUnits() + " of " + of
	}
	return "more of " + of
}

// goesOn is how long a wallet may take to end once it was told to, and a daemon to say what it knows.
const goesOn = 10 * time.Second

// payFor has the wallet pay, and returns the preimage, whatever its command thinks of that.
func (b *buying) payFor(ctx context.Context, o *open) (preimage string, err error) {
	hash, _ := payment.Key(o.Payment).Hash()
	command := strings.NewReplacer("{}", o.Invoice, "{hash}", hash).Replace(b.pay)
	pay := exec.CommandContext(ctx, "sh", "-c", command)
	var told bytes.Buffer
	pay.Stdout, pay.Stderr, pay.Stdin = &told, b.Stderr, b.Stdin
	pay.Cancel = func() error { return pay.Process.Signal(syscall.SIGTERM) }
	pay.WaitDelay = goesOn
	failed := pay.Run()
	if preimage = preimageIn(told.Bytes(), hash); preimage != "" {
		return preimage, nil
	}
	said := strings.TrimSpace(told.String())
	if len(said) > 300 {
		said = said[:300] + "…"
	}
	if failed != nil {
		return "", fmt.Errorf("paying by %q: %w\n%s", b.pay, failed, said)
	}
	return "", fmt.Errorf("%q printed no preimage of %s\n%s", b.pay, hash, said)
}

var hexadecimal = regexp.MustCompile(`[0-9a-fA-F]+`)

// allPreimages returns what can be one: 64 hexadecimal digits that no others are beside.
func allPreimages(text []byte) (all []string) {
	for _, one := range hexadecimal.FindAll(text, -1) {
		if len(one) == 2*sha256.Size {
			all = append(all, string(one))
		}
	}
	return all
}

// preimageIn returns the preimage of a hash in what a wallet's command printed, whatever it says besides.
func preimageIn(text []byte, hash string) string {
	for _, one := range allPreimages(text) {
		var b [sha256.Size]byte
		_, _ = hex.Decode(b[:], []byte(one)) // it is hexadecimal
		if sum := sha256.Sum256(b[:]); hex.EncodeToString(sum[:]) == hash {
			return one
		}
	}
	return ""
}

// unpaid says that a purchase is not finished, and what to do, by what the daemon knows of its payment.
func (b *buying) unpaid(ctx context.Context, cl *client.Client, f *file, cause error) error {
	hash, _ := payment.Key(f.Open.Payment).Hash()
	known := "it may be paid"
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), goesOn)
	defer cancel()
	if p, err := cl.PaymentOf(soon, f.Resource, f.Open.Payment); err == nil {
		switch p.Status {
		case "requested":
			known = "nothing has arrived"
		case "accepted", "settled", "credited":
			known = "it is paid"
		}
	}
	return cli.Unfinished("%v\n%s: the same command with --credential %s goes on, and pays nothing twice; "+
		"or give what your wallet shows of its payment %s: sandglass buy --credential %[3]s --preimage PREIMAGE",
		cause, known, f.path, hash)
}
