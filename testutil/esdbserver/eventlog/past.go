package eventlog

// Past is an event as it stands on a disk, whatever a server would have said to it.
type Past struct {
	Stream  string
	Number  int64
	Created int64 // in ticks of 100 ns since 1970
	Proposal
}

// Past returns all events in their order, but those that a server writes at its start.
func (l *Log) Past() (past []Past) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := New(l.options).length; i < l.length; i++ {
		r := l.at(i)
		past = append(past, Past{r.Stream.Name, r.Number, r.Created, Proposal{r.ID, r.Kind.KindKey, r.Data, r.Meta}})
	}
	return past
}

// Replace has the log be another one, from its first event on. Nobody may be reading it. Where the numbers
// of a stream are not those of its events, as many as there are, it is read as they are by who reads the log.
func (l *Log) Replace(past []Past) {
	other := New(l.options)
	for i := range past {
		other.write(other.open(past[i].Stream), past[i].Number, &past[i].Proposal, past[i].Created)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chunks, l.length, l.end, l.users = other.chunks, other.length, other.end, other.users
	l.streams, l.kinds, l.recent = other.streams, other.kinds, other.recent
}
