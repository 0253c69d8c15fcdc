package reports_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"sync"

	"sandglass/domain/enforce"
	"sandglass/domain/enforce/lasting"
)

var errBroken = errors.New("it is broken")

// files are a folder of daemon and keeper, in memory, as its files hold it.
type files struct {
	mu         sync.Mutex
	want, is   map[string][]byte
	beat, time []byte
	upTo       []byte               // what was heard
	heard      map[chan string]bool // true: of wants
	reads      int                  // of what is
	full       bool                 // nothing can be written
	deaf       bool                 // no change is told
}

func newFiles() *files {
	return &files{want: map[string][]byte{}, is: map[string][]byte{}, heard: map[chan string]bool{}}
}

func (f *files) names(of func() map[string][]byte) (names []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name := range of() {
		names = append(names, name)
	}
	return names, nil
}

func (f *files) Wants() ([]string, error) {
	return f.names(func() map[string][]byte { return f.want })
}
func (f *files) Founds() ([]string, error) { return f.names(func() map[string][]byte { return f.is }) }

func get[T any](f *files, b *[]byte, parse func([]byte) (T, error)) (v T, err error) {
	if *b == nil {
		return v, fs.ErrNotExist
	}
	return parse(*b)
}

func (f *files) Want(id string) (*enforce.Want, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.want[id]
	return get(f, &b, func(b []byte) (*enforce.Want, error) { return enforce.ParseWant(id, b) })
}

func (f *files) Is(id string) (*enforce.Is, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	b := f.is[id]
	return get(f, &b, func(b []byte) (*enforce.Is, error) { return enforce.ParseIs(id, b) })
}

func (f *files) Beat() (*enforce.Beat, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return get(f, &f.beat, enforce.ParseBeat)
}

func (f *files) Times() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return get(f, &f.time, func(b []byte) ([]byte, error) { return b, nil })
}

// put writes a file, and tells whoever listens to its folder.
func (f *files) put(name string, wants bool, do func(), err error) error {
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return errBroken
	}
	do()
	for c, of := range f.heard {
		if of == wants && name != "" && !f.deaf {
			c <- name
		}
	}
	return nil
}

func (f *files) Write(w *enforce.Want) error {
	b, err := w.Marshal()
	return f.put(w.ID, true, func() { f.want[w.ID] = b }, err)
}

func (f *files) Remove(id string) error {
	return f.put(id, true, func() { delete(f.want, id) }, nil)
}

func (f *files) SaveIs(i *enforce.Is) error {
	b, err := i.Marshal()
	return f.put(i.ID, false, func() { f.is[i.ID] = b }, err)
}

func (f *files) RemoveIs(id string) error {
	return f.put(id, false, func() { delete(f.is, id) }, nil)
}

func (f *files) SaveTimes(b []byte) error { return f.put("", false, func() { f.time = b }, nil) }
func (f *files) SaveHeard(b []byte) error { return f.put("", false, func() { f.upTo = b }, nil) }

// sign leaves on a disk when the keeper was last well, as the keeper does.
func (f *files) sign(s *lasting.Signs, o *lasting.Outages, boot string, at enforce.Boottime) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Set(lasting.Boot{ID: boot, At: at, Down: o.Since(lasting.HeardIn(f.upTo, boot), at)})
}

func (f *files) SaveBeat(beat *enforce.Beat) error {
	b, err := beat.Marshal()
	return f.put("", false, func() { f.beat = b }, err)
}

func (f *files) changes(ctx context.Context, wants bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		c := make(chan string, 100_000)
		f.mu.Lock()
		f.heard[c] = wants
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.heard, c)
		}()
		for ok := yield("", nil); ok; {
			select {
			case <-ctx.Done():
				return
			case name := <-c:
				ok = yield(name, nil)
			}
		}
	}
}

func (f *files) Changes(ctx context.Context) iter.Seq2[string, error] { return f.changes(ctx, true) }
func (f *files) Found(ctx context.Context) iter.Seq2[string, error]   { return f.changes(ctx, false) }
