package chain

import (
	"context"
	"maps"

	"sandglass/domain/payment"
	"sandglass/domain/resource"
	"sandglass/domain/watch"
)

// setComing says that a payment is on its way to its resource.
func (s *sweep) setComing(p *payment.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming[p.Resource] = p.Key
}

// updateHolds tells the meter which payments are on their way, and ends the holds of those
// that will not come. Where it fails, the next sweep does.
func (s *sweep) updateHolds(ctx context.Context) error {
	s.w.mu.Lock()
	s.w.pending = maps.Clone(s.coming)
	s.w.mu.Unlock()
	maps.Copy(s.w.held, s.coming)
	for id, key := range s.w.held {
		if _, still := s.coming[id]; still {
			continue
		}
		err := s.endHold(ctx, id, key)
		if err == nil {
			delete(s.w.held, id)
		} else if err = s.leaveOut(ctx, key, err); err != nil {
			return err
		}
	}
	return nil
}

func (s *sweep) endHold(ctx context.Context, id resource.ID, key payment.Key) error {
	out, err := s.w.Booker.Resources.Load(ctx, id)
	when := s.w.Booker.Gap
	when.At = s.w.Now()
	if err != nil || out.State.HeldUntil() <= when.At {
		return err
	}
	_, err = s.w.Booker.Resources.Execute(ctx, id, watch.Meta, resource.Hold{When: when, Payment: string(key), Until: when.At})
	return err
}
