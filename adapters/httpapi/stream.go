package httpapi

import (
	"net/http"
	"time"

	"sandglass/adapters/httpapi/limit"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/httpapi/problem"
)

// admit counts one more stream of the client, until done. A caller with the
// operator's token or the auditor's is trusted not to open too many.
func (s *Server) admit(r *middleware.Request) (done func(), p *problem.Problem) {
	if r.Caller.Auditor {
		return func() {}, nil
	}
	done, err := s.live.Enter(r.Addr)
	switch err {
	case nil:
		return done, nil
	case limit.ErrAddressFull:
		p = problem.New(http.StatusTooManyRequests, "too_many_streams",
			"your address has %d streams open, or its network %d, which are the most: close one first",
			s.Limits.LivePer, limit.InNetwork*s.Limits.LivePer)
		p.Retry = 15 * time.Second
	default:
		p = problem.New(http.StatusServiceUnavailable, "too_many_streams",
			"all %d streams are in use: try again later, or ask GET /v1/resources/{id} now and then", s.Limits.Live)
		p.Retry = 30 * time.Second
	}
	p.Close = true // a client that wanted a stream shall not stay without one
	return nil, p
}
