package projections

import (
	"fmt"

	"sandglass/domain/address"
	"sandglass/domain/stream"
	"sandglass/projections/open"
	"sandglass/projections/snapshot"
	"sandglass/projections/table"
	"sandglass/projections/wallets"
)

// Save writes a snapshot of the present to path, durably and all or nothing. The views
// are folded on meanwhile. logID names the log; [Views.Load] asks for the same.
func (v *Views) Save(path, logID string) error {
	im, release := v.image()
	defer release()
	return snapshot.Save(path, logID, im.save)
}

// Load reads a snapshot into v, before [Run] is called. If the file is missing, or not
// usable here ([snapshot.ErrUnusable]), it returns an error and v is empty: the log is then
// folded from its start. Whether the log has the snapshot's last event, Run finds.
func (v *Views) Load(path, logID string) error {
	v.reset()
	err := snapshot.Load(path, logID, v.load)
	if err != nil {
		v.reset()
		path = ""
	}
	v.file = path
	return err
}

// removeSnapshot removes the file that was loaded, durably.
func (v *Views) removeSnapshot() error {
	if v.file == "" {
		return nil
	}
	return snapshot.Remove(v.file)
}

// CheckEnd returns [ErrOtherLog] if a log ends before the views stand that were loaded for it: it
// has lost its end, or is an older copy.
func (v *Views) CheckEnd(head stream.Position) error {
	if at := v.Position(); at > head {
		return fmt.Errorf("it ends at position %d, and it had an event at position %d: %w", head, at, ErrOtherLog)
	}
	return nil
}

func (p *position) fields(f *snapshot.Fields) {
	snapshot.Int(f, &p.pos)
	snapshot.String(f, &p.stream)
	snapshot.Int(f, &p.revision)
	snapshot.Bytes(f, p.id[:])
	snapshot.Int(f, &p.recorded)
}

// save passes the image; load, what it passed.
func (im *image) save(f *snapshot.Fields) {
	im.at.fields(f)
	im.ledger.Fields(f)
	f.Each(f.Count(len(im.plans)), func(i int) { im.plans[i].fields(f) })
	f.Each(f.Count(len(im.addresses)), func(i int) { addressFields(f, &im.addresses[i]) })
	f.Each(f.Count(len(im.wallets)), func(i int) { im.wallets[i].Fields(f) })
	im.payments.Save(f)
	im.resources.Save(f)
}

func (v *Views) load(f *snapshot.Fields) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at.fields(f)
	v.ledger.Fields(f)
	f.Each(f.Count(0), func(int) {
		var p planRow
		p.fields(f)
		v.plans[p.state.Name] = p
	})
	f.Each(f.Count(0), func(int) {
		var s address.State
		addressFields(f, &s)
		v.addresses.add(s)
	})
	f.Each(f.Count(0), func(int) {
		var w wallets.Wallet
		w.Fields(f)
		v.wallets[w.State.Node] = w
	})
	v.payments = open.Load(f)
	v.resources = table.Load(f)
}
