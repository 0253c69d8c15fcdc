package lnurl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"sandglass/domain/money"
	"sandglass/domain/resource"
)

// mostMsat is the most that a wallet in JavaScript counts exactly, in whole satoshi.
const mostMsat = money.Msat(1<<53/1000) * money.Sat

// payRequest is the first answer of LUD-06. It has no commentAllowed, which says that none is (LUD-12).
type payRequest struct {
	Tag         string     `json:"tag"`
	Callback    string     `json:"callback"`
	MinSendable money.Msat `json:"minSendable"`
	MaxSendable money.Msat `json:"maxSendable"`
	Metadata    string     `json:"metadata"`
}

// success is shown after the payment (LUD-09): a message, or a link at the host of the callback. Its texts
// have at most 144 characters.
type success struct {
	Tag         string `json:"tag"`
	Message     string `json:"message,omitempty"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url,omitempty"`
}

// payAnswer is the second answer of LUD-06.
type payAnswer struct {
	Invoice    string     `json:"pr"`
	Routes     []struct{} `json:"routes"`
	Success    success    `json:"successAction"`
	Disposable bool       `json:"disposable"` // false: the link can be paid again (LUD-11)
	Verify     string     `json:"verify"`     // LUD-21
}

// idOf returns the id that a wallet asks for: some send an address as it was typed.
func idOf(r *http.Request) resource.ID { return resource.ID(strings.ToLower(r.PathValue("id"))) }

// payRequest answers what can be paid.
func (s *Service) payRequest(r *http.Request) (any, error) {
	id := idOf(r)
	least, most, err := s.bounds(id)
	if err != nil {
		return nil, err
	}
	said, shown := s.Log(), ""
	if said != "" {
		shown = strings.ReplaceAll(said, " ", ".") + "." + s.Seal(said)
	}
	return payRequest{"payRequest", s.site.callbackURL(id, shown), least, most, s.site.metadata(id, said)}, nil
}

// shown returns what the text said of the log that a wallet was shown, by the path that it was given with it.
func (s *Service) shown(r *http.Request) (said string, err error) {
	shown := r.PathValue("shown")
	if shown == "" {
		return "", nil
	}
	i := max(0, strings.LastIndexByte(shown, '.'))
	said = strings.ReplaceAll(shown[:i], ".", " ")
	if !hmac.Equal([]byte(strings.TrimPrefix(shown[i:], ".")), []byte(s.Seal(said))) {
		return "", refusal("this link was not made here, or too long ago: begin the payment again")
	}
	return said, nil
}

func (s *Service) bounds(id resource.ID) (least, most money.Msat, err error) {
	least, most, err = s.Billing.Bounds(id)
	return least, min(most, mostMsat), err
}

// metadata is the text that a wallet shows its owner, and the hash of which is in the invoice: of what
// never changes for a resource and what is said of the log, and encoded here alone.
func (s *site) metadata(id resource.ID, said string) string {
	plain := string(id) + " at " + s.name
	if said != "" {
		plain += " · " + said
	}
	entries := [][2]string{{"text/plain", plain}}
	if s.address {
		entries = append(entries, [2]string{"text/identifier", s.addressOf(id)})
	}
	text, _ := json.Marshal(entries) // strings
	return string(text)
}

// callback answers with an invoice. What else the query has is of extensions that are not offered.
func (s *Service) callback(r *http.Request) (any, error) {
	id, ctx := idOf(r), r.Context()
	least, most, err := s.bounds(id)
	if err != nil {
		return nil, err
	}
	asked := r.URL.Query().Get("amount")
	amount, err := strconv.ParseInt(asked, 10, 64)
	if err != nil || money.Msat(amount) < least || money.Msat(amount) > most {
		return nil, refusal(fmt.Sprintf("the amount is %.40q: want a number of millisatoshi, %d to %d", asked, least, most))
	}
	said, err := s.shown(r)
	if err != nil {
		return nil, err
	}
	p, err := s.Billing.PayText(ctx, id, money.Msat(amount), sha256.Sum256([]byte(s.site.metadata(id, said))))
	if err != nil {
		return nil, err
	}
	hash, _ := p.Key.Hash()
	return payAnswer{p.Invoice, []struct{}{}, s.success(id), false, s.site.verifyURL(id, hash)}, nil
}

func (s *Service) success(id resource.ID) success {
	if s.Page == nil {
		return success{Tag: "message", Message: "Paid. The time of " + string(id) + " goes up."}
	}
	return success{Tag: "url", Description: "Paid. See " + string(id) + ":", URL: s.Page(id)}
}
