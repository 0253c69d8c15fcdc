package payment

import (
	"sandglass/domain/instant"
	"sandglass/domain/money"
	"sandglass/domain/resource"
)

// Command is a request to change a payment.
type Command interface{ when() instant.Time }

// The commands. Each takes effect at its time, or at the latest event's if that is later.
// What a field says is told at the event that follows from it.
type (
	Request struct {
		At       instant.Time
		Resource resource.ID
		Amount   money.Msat
		Price    money.Price
		Expiry   instant.Time
		Invoice  string
		Order    *resource.Order
		Cash     Cash
	}
	Accept struct {
		At      instant.Time
		Amount  money.Msat
		Node    string
		Request *Request // see [Settle]
	}
	Cancel struct {
		At     instant.Time
		Reason Reason
	}
	Settle struct {
		At       instant.Time
		Amount   money.Msat
		Via      Via
		Node     string
		Index    int64
		Resource resource.ID
		Block    string // in which an output has its confirmations; empty where there is none
		Meant    resource.ID
		Ours     bool
		// Request is what the money is for, where the log does not say so yet: it is the
		// first that the log hears of it. It may be nil.
		Request *Request
	}
	Credit struct {
		At       instant.Time
		Resource resource.ID
	}
	Unallocate struct {
		At       instant.Time
		Resource resource.ID
		Reason   Reason
		// Credited says that the payment stands as credited to the resource, which is without
		// its money and refuses it. Else a credited payment is not touched.
		Credited bool
	}
	Allocate struct {
		At       instant.Time
		Resource resource.ID
	}
	Expire struct {
		At     instant.Time
		Reason Reason
	}
)

// The commands of a payment on the chain.
type (
	See struct {
		At       instant.Time
		Resource resource.ID
		Address  string
		Amount   money.Msat
		Meant    resource.ID // or Resource
		Request  *Request    // see [Settle]
	}
	Confirm struct {
		At     instant.Time
		Height int64
		Block  string
	}
	Reorg struct {
		At    instant.Time
		Block string
	}
	Replace struct {
		At     instant.Time
		Reason Reason
	}
	Finalize struct {
		At     instant.Time
		Height int64
	}
)

func (c Request) when() instant.Time    { return c.At }
func (c Accept) when() instant.Time     { return c.At }
func (c Cancel) when() instant.Time     { return c.At }
func (c Settle) when() instant.Time     { return c.At }
func (c Credit) when() instant.Time     { return c.At }
func (c Unallocate) when() instant.Time { return c.At }
func (c Allocate) when() instant.Time   { return c.At }
func (c Expire) when() instant.Time     { return c.At }
func (c See) when() instant.Time        { return c.At }
func (c Confirm) when() instant.Time    { return c.At }
func (c Reorg) when() instant.Time      { return c.At }
func (c Replace) when() instant.Time    { return c.At }
func (c Finalize) when() instant.Time   { return c.At }
