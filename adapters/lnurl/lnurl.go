// Package lnurl takes payments of wallets that pay by a link or a Lightning address: LNURL-pay.
//
// Every resource, and every order, is an address, <id>@<host>, and a link (LUD-01, 06, 16, 17). A wallet
// asks twice: what may be paid, with a text that it shows (pay.go), and then for an invoice of so much,
// which has that text's hash. It can ask whether that was paid, and be given the proof (verify.go, LUD-21).
// After a payment it shows a link to the resource's page (LUD-09).
//
// The text is made of what never changes for a resource, and of what it says of the log, which does: the
// wallet is told to ask for its invoice at a path that has that in it, sealed, so that the hash is of the
// text that was shown, whatever the log has become since, and whichever daemon is asked. Errors are
// answered with status 200, since wallets read no body with any other one. Comments are not taken: nothing
// of what a payer writes is kept.
//
// What may be paid, and all that bounds it, is billing's. The preimage of an invoice stays at the wallet,
// and is asked for when the log says that it is settled: no record has it.
package lnurl

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"sandglass/domain/billing"
	"sandglass/domain/plan"
	"sandglass/domain/resource"
)

// Options are what a service works with. All but Page are required.
type Options struct {
	Billing *billing.Service
	// Preimage returns the secret of an invoice that is settled, by its payment_hash.
	Preimage func(ctx context.Context, hash string) ([32]byte, error)
	// PublicURL is where wallets reach the daemon, with the path that a proxy takes off.
	PublicURL string
	// Log returns what the text says of the log: up to 56 letters, digits, spaces, - and _, or nothing.
	Log func() string
	// Seal returns letters and digits that nobody else can make of a text.
	Seal func(text string) string
	// Page returns where people see a resource: an absolute URL at the host of PublicURL. It is nil
	// where there are no pages.
	Page func(resource.ID) string
	// Refused says in words why a request of that context was refused, for who pays, and logs what he is
	// not to know. It is asked for what this package has no words of its own for.
	Refused func(ctx context.Context, err error) string
	// Ready are closed once what is answered from is read.
	Ready []<-chan struct{}
}

// Service answers wallets.
type Service struct {
	Options
	site site
}

// New returns a service, or an error if PublicURL is no URL of a host.
func New(o Options) (*Service, error) {
	at, ok := siteOf(o.PublicURL)
	if !ok || o.Billing == nil || o.Preimage == nil || o.Refused == nil || o.Log == nil || o.Seal == nil {
		return nil, errors.New("lnurl: a service needs billing, the wallet, the log, a seal, words for what is refused, " +
			"and the URL that wallets reach")
	}
	return &Service{o, at}, nil
}

// Route is what is served at a pattern of [http.ServeMux].
type Route struct {
	Pattern string
	Handler http.Handler
	Writes  bool // it makes something, though it is a GET
}

// Routes returns what there is, to be reached from the pages of any origin. What lies beneath and is none
// of it is answered as LNURL has it too.
func (s *Service) Routes() []Route {
	pay := s.handler(s.payRequest)
	unknown := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, HEAD")
		Refuse(w, "there is nothing here: GET /lnurlp/ID tells what can be paid for a resource")
	})
	return []Route{
		{"GET /.well-known/lnurlp/{id}", pay, false},
		{"GET /lnurlp/{id}", pay, false},
		{"GET /lnurlp/{id}/callback", s.handler(s.callback), true},
		{"GET /lnurlp/{id}/callback/{shown}", s.handler(s.callback), true},
		{"GET /lnurlp/{id}/verify/{hash}", s.handler(s.verify), false},
		{"/.well-known/lnurlp/", unknown, false},
		{"/lnurlp/", unknown, false},
	}
}

// handler answers with what answer returns, once what it answers from is read.
func (s *Service) handler(answer func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.ready()
		var body any
		if err == nil {
			body, err = answer(r)
		}
		if err != nil {
			Refuse(w, s.reason(r.Context(), err))
			return
		}
		write(w, body)
	})
}

func (s *Service) ready() error {
	for _, c := range s.Ready {
		select {
		case <-c:
		default:
			return billing.ErrStarting
		}
	}
	return nil
}

// refusal is what the one who pays is told, in so many words.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// reasons are for who pays, and has nothing but his wallet.
var reasons = []struct {
	err    error
	reason string
}{
	{resource.ErrNotOpened, "this is not known here: is the address right?"},
	{resource.ErrReleased, "this is over for good, and can't be paid any more"},
	{billing.ErrHeld, "the first payment is not taken yet: try again in a minute"},
	{billing.ErrStarting, "the server has just started: try again in a moment"},
	{plan.ErrBounds, "that amount can't be paid here"},
	{plan.ErrUnknown, "this can't be paid any more"},
}

func (s *Service) reason(ctx context.Context, err error) string {
	if r, ok := errors.AsType[refusal](err); ok {
		return string(r)
	}
	for _, known := range reasons {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return s.Refused(ctx, err)
}

// Refuse answers as LNURL has it that something is not done. The status is 200.
func Refuse(w http.ResponseWriter, reason string) {
	write(w, struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
	}{"ERROR", reason})
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	b, _ := json.Marshal(body) // plain values
	_, _ = w.Write(append(b, '\n'))
}
