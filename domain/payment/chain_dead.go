package payment

import (
	"context"
	"slices"

	"sandglass/domain/instant"
)

const (
	maxBack   = 1008             // blocks that are looked through for a double spend, at most
	maxBlocks = 24               // blocks that are kept from one sweep to the next
	vanishing = 6                // blocks that come without a payment that the wallet forgot
	vanished  = instant.Day      // after which it is given up, however few blocks came
	stale     = 14 * instant.Day // after which a payment without a block is given up
	clockSkew = 2 * instant.Hour // that the time of a block may be ahead (BIP 113)
)

// The reasons for which a payment is given up. Should a block hold it after all, it is
// confirmed all the same.
const (
	replacedConflict = "conflict" // another transaction spends what it spends
	replacedVanished = "vanished" // the wallet does not know it any more
	replacedStale    = "stale"    // it waits for too long
)

// graves remembers of payments in no block what tells that they are dead. The wallet says
// nothing when one is double spent, and may list it for ever, so that the new blocks are
// looked through for what it spends.
type graves struct {
	trails map[string]*trail // by key
	blocks map[string]Block  // by hash, with our outputs alone
	order  []string          // of blocks, oldest first
}

// trail is what is known of a payment in no block.
type trail struct {
	spends  []string
	looked  int64        // height up to which blocks were looked through, 0 if none was
	missing int64        // height at which the wallet did not list it first, 0 if it does
	since   instant.Time // of missing
	dead    bool         // a block of the active chain spends what it spends
	over    bool         // it is given up, whatever the wallet lists
}

func newGraves() graves {
	return graves{trails: map[string]*trail{}, blocks: map[string]Block{}}
}

// trail returns what is known of a payment.
func (g *graves) trail(key string) *trail {
	t := g.trails[key]
	if t == nil {
		t = new(trail)
		g.trails[key] = t
	}
	return t
}

func (g *graves) keep(hash string, b Block) {
	if len(g.order) >= maxBlocks {
		delete(g.blocks, g.order[0])
		g.order = g.order[1:]
	}
	g.blocks[hash] = b
	g.order = append(g.order, hash)
}

// bury looks for what became of the payments that are in no block: in the blocks since the
// last look, and a few more, since a reorg may have changed them.
func (s *chainSweep) bury(ctx context.Context) error {
	for key := range s.dead.trails {
		_, listed := s.mempool[key]
		if p, ok := s.waiting[key]; !listed && (!ok || p.inBlock()) {
			delete(s.dead.trails, key)
		}
	}
	if err := s.recall(ctx); err != nil {
		return err
	}
	floating := s.floating()
	low, oldest := s.reach(floating)
	spenders := map[string][]*trail{}
	for _, t := range floating {
		t.dead = false
		for _, spent := range t.spends {
			spenders[spent] = append(spenders[spent], t)
		}
	}
	for h := s.tip.Height; h > 0 && h > s.tip.Height-maxBack; h-- {
		if h < low && (oldest == 0 || h <= s.tip.Height-margin && s.before(h, oldest)) {
			break
		}
		switch err := s.look(ctx, h, spenders); {
		case err == nil:
		case General(ctx, err):
			return err
		default:
			// The last few are asked for again by the next sweep, those below are not.
			s.tellBlind(h, "its block can't be read: whether it double spends a payment is not known", err)
		}
	}
	for _, t := range floating {
		t.looked = s.tip.Height
	}
	return nil
}

// reach returns how far back blocks are to be looked through: the lowest height, and the
// time of the oldest payment for which none was yet, 0 if there is no such one.
func (s *chainSweep) reach(floating map[string]*trail) (low int64, oldest instant.Time) {
	low = s.tip.Height + 1
	for key, t := range floating {
		switch p, known := s.waiting[key]; {
		case t.looked > 0:
			low = min(low, t.looked-margin)
		case !known: // it is new
			low = min(low, s.since(key))
		case oldest == 0 || p.Requested < oldest:
			oldest = p.Requested
		}
	}
	return low, oldest
}

// since returns the height from which on a block can hold a payment that the log does not
// know. The wallet may list it as in none long after it was mined, if either of us was
// away: there was no sweep since, or none at all.
func (s *chainSweep) since(key string) int64 {
	if last := s.ChainWatcher.tip.Height; last > 0 {
		return min(s.tip.Height, last) - margin
	}
	_, issued, _ := s.Issued(s.mempool[key].Address)
	return FirstHeight(issued)
}

// recall finds the payments that the wallet goes on listing after they were given up.
func (s *chainSweep) recall(ctx context.Context) error {
	for key := range s.mempool {
		t := s.dead.trail(key)
		if _, waits := s.waiting[key]; waits || t.over {
			continue
		}
		out, err := s.Booker.Payments.Load(ctx, key)
		if err != nil {
			return err
		}
		t.over = out.State.Status == StatusReplaced
	}
	return nil
}

// before says whether the block above a height, which was looked through, is older than an
// instant. Of one that can't be read it is not known.
func (s *chainSweep) before(h int64, at instant.Time) bool {
	b, ok := s.dead.blocks[s.hashes[h+1]]
	return ok && b.Time.Add(clockSkew) < at
}

// floating returns the trails of the payments that no block is known to hold.
func (s *chainSweep) floating() map[string]*trail {
	list := map[string]*trail{}
	add := func(key string, spends []string) {
		if _, mined := s.mined[key]; mined {
			return
		}
		t := s.dead.trail(key)
		if len(spends) > 0 {
			t.spends = spends
		}
		if !t.over {
			list[key] = t
		}
	}
	for key, o := range s.mempool {
		add(key, o.Spends)
	}
	for key, p := range s.waiting {
		if p.Status == StatusSeen || p.Status == StatusReorged {
			add(key, nil)
		}
	}
	return list
}

// look looks through a block of the active chain.
func (s *chainSweep) look(ctx context.Context, height int64, spenders map[string][]*trail) error {
	b, err := s.block(ctx, height)
	if err != nil {
		return err
	}
	for _, spent := range b.Spends {
		for _, t := range spenders[spent] {
			t.dead = true
		}
	}
	return nil
}

// judge gives a payment up that will not come.
func (s *chainSweep) judge(ctx context.Context, p State) (State, error) {
	if p.Status == StatusReplaced {
		s.over(p.Key)
	}
	if p.Status != StatusSeen && p.Status != StatusReorged {
		return p, nil
	}
	reason := s.fate(&p)
	if reason == "" {
		return p, nil
	}
	s.Observer.Notice(Notice{Sign: SignReplaced, Key: p.Key, Text: reason})
	return s.execute(ctx, p.Key, Replace{Replaced{At{s.Now()}, reason}})
}

// over says that no more is to be learnt of a payment in no block.
func (s *chainSweep) over(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.dead.trails[key]; t != nil {
		t.over = true
	}
}

// fate returns why a payment that is in no block will not come, or nothing if it may.
func (s *chainSweep) fate(p *State) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.dead.trail(p.Key)
	_, listed := s.mempool[p.Key]
	switch {
	case t.dead || listed && s.outbid(p):
		return replacedConflict
	case s.begun > p.Last.Add(stale):
		return replacedStale
	case listed:
		t.missing = 0
		return ""
	case !s.id.Synced:
		return ""
	case t.missing == 0:
		t.missing, t.since = s.tip.Height, s.begun
	}
	if s.tip.Height >= t.missing+vanishing || s.begun > t.since.Add(vanished) {
		return replacedVanished
	}
	return ""
}

// outbid says whether the wallet lists a later transaction that spends what p spends: it
// replaced p in the mempool (BIP 125).
func (s *chainSweep) outbid(p *State) bool {
	if _, known := s.waiting[p.Key]; !known {
		return false // it is new itself
	}
	mine := s.mempool[p.Key]
	for key, o := range s.mempool {
		other, known := s.waiting[key]
		t := s.dead.trails[key]
		if o.Txid == mine.Txid || known && other.Requested <= p.Requested || t != nil && t.over {
			continue
		}
		if slices.ContainsFunc(o.Spends, func(spent string) bool { return slices.Contains(mine.Spends, spent) }) {
			return true
		}
	}
	return false
}
