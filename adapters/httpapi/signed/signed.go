// Package signed is the calls about what is signed of the log.
package signed

import (
	"context"

	"sandglass/adapters/httpapi/auth"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/openapi"
	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"
)

// Calls answers the calls.
type Calls struct {
	Signer *signing.Signer // nil: nothing is signed
}

// Define defines the calls.
func (c *Calls) Define(a *openapi.API) {
	openapi.Register(a, openapi.Operation{
		Name: "get-log", Method: "GET", Path: "/v1/log", Tag: "audit", Summary: "What is signed of the log, and under which names",
		Doc: "The tree of the log and its checkpoints are at /log/, by c2sp.org/tlog-tiles. Where the log is not what was " +
			"signed, nothing more is, and this says why.",
		Traits: middleware.Traits{Open: true},
	}, c.get)
	openapi.Register(a, openapi.Operation{
		Name: "fork-log", Method: "POST", Path: "/v1/log/fork", Tag: "operate", Who: auth.Operator,
		Summary: "Leave behind what was signed, and sign the log as it is now under another name",
		Doc: "It is for a log that is not what was signed, such as after a backup was restored, and is in the log for ever, with " +
			"the reason. Refused with 409 where the log is what was signed, as far as is known and put_back does not say otherwise, " +
			"and at a host that does not have its key.",
		Refused: []int{400, 409},
	}, c.fork)
}

type none struct{}

type answer[T any] struct{ Body T }

func (c *Calls) get(context.Context, *none) (*answer[wire.Log], error) {
	if c.Signer == nil {
		return &answer[wire.Log]{wire.Log{Forks: []wire.LogFork{}}}, nil
	}
	s := c.Signer.Status()
	out := wire.Log{
		Events: s.Size, Signed: s.Latest.Size, Checkpoint: string(s.Note), Alarm: string(s.Alarm), Detail: s.Detail,
		Forks: make([]wire.LogFork, len(s.Forks)),
	}
	for i := range s.Forks {
		out.Forks[i] = view(&s.Forks[i])
	}
	return &answer[wire.Log]{out}, nil
}

func view(one *fork.One) wire.LogFork {
	return wire.LogFork{
		Fork: one.Number, Origin: one.Origin, VKey: one.VKey, Since: one.Since, Before: one.Size, Reason: one.Reason, Left: one.Left,
	}
}

type forkInput struct{ Body wire.ForkRequest }

func (c *Calls) fork(ctx context.Context, in *forkInput) (*answer[wire.LogFork], error) {
	if c.Signer == nil {
		return nil, signing.ErrNoKey
	}
	one, err := c.Signer.Fork(ctx, middleware.RequestOf(ctx).Meta("operator"), in.Body.Reason, in.Body.PutBack)
	if err != nil {
		return nil, err
	}
	return &answer[wire.LogFork]{view(&one)}, nil
}
