package lasting

import (
	"slices"
	"sync"

	"sandglass/domain/enforce"
	"sandglass/domain/resource/uptime"
)

// Outages are those of a boot of which the log may not know. Its methods may be called from anywhere.
type Outages struct {
	boot string

	mu     sync.Mutex // guards what follows
	heard  enforce.Boottime
	begins map[string][]enforce.Boottime // of each resource, up to [enforce.MaxOutages] of up to [enforce.MaxWants]
}

// NewOutages returns those of a boot, of which none is known yet.
func NewOutages(boot string) *Outages {
	return &Outages{boot: boot, begins: map[string][]enforce.Boottime{}}
}

// Note takes what a resource is. What was too short for an outage is none once it is over.
func (o *Outages) Note(is *enforce.Is) {
	if is.Boot != o.boot {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var begins []enforce.Boottime
	for _, out := range is.Outages {
		if out.From > o.heard && (out.To == 0 || out.To-out.From >= enforce.Boottime(uptime.MinOutage)) {
			begins = append(begins, out.From)
		}
	}
	if _, ok := o.begins[is.ID]; len(begins) == 0 {
		delete(o.begins, is.ID)
	} else if ok || len(o.begins) < enforce.MaxWants {
		o.begins[is.ID] = begins
	}
}

// Forget takes a resource out, of which nothing is left.
func (o *Outages) Forget(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.begins, id)
}

// Since returns when resources went down after what the log has heard, until an instant.
func (o *Outages) Since(heard, until enforce.Boottime) map[string][]enforce.Boottime {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard = max(o.heard, heard)
	down := map[string][]enforce.Boottime{}
	for id, begins := range o.begins {
		first, _ := slices.BinarySearch(begins, o.heard+1)
		if begins = begins[first:]; len(begins) == 0 {
			delete(o.begins, id)
			continue
		}
		o.begins[id] = begins
		if n, _ := slices.BinarySearch(begins, until+1); n > 0 {
			down[id] = slices.Clone(begins[:n])
		}
	}
	return down
}

// Folder is that of a keeper, whose outages are noted as they are written, and as an earlier keeper left
// them.
type Folder struct {
	enforce.Folder
	Outages *Outages
}

// Is implements [enforce.Folder].
func (f Folder) Is(id string) (*enforce.Is, error) {
	is, err := f.Folder.Is(id)
	if err == nil {
		f.Outages.Note(is)
	}
	return is, err
}

// SaveIs implements [enforce.Folder].
func (f Folder) SaveIs(is *enforce.Is) error {
	f.Outages.Note(is)
	return f.Folder.SaveIs(is)
}

// RemoveIs implements [enforce.Folder].
func (f Folder) RemoveIs(id string) error {
	f.Outages.Forget(id)
	return f.Folder.RemoveIs(id)
}
