package follow

import (
	"context"
	"slices"

	"sandglass/domain/proof"
	"sandglass/domain/watch"
)

// file is how far the blocks are kept on disk.
type file struct {
	opened bool
	renew  bool    // what is there is of another tree
	kept   int     // blocks that are there
	late   []Block // that were there when it could be opened at last, to be compared
}

// keep keeps the blocks on disk until ctx ends, a page at a time: each only until it is there, and none too
// often while the disk takes nothing.
func (l *Log) keep(ctx context.Context) {
	for failures := 0; ; {
		more, err := l.keepPage()
		l.unkept(err)
		switch {
		case err != nil:
			if !watch.Pause(ctx, watch.Backoff(failures, retry, retryMost)) {
				return // the disk had its chance
			}
			failures++
			continue
		case more:
			continue
		}
		failures = 0
		select {
		case <-l.closed:
		case <-ctx.Done():
			for more := true; more && err == nil; {
				more, err = l.keepPage() // what came meanwhile
			}
			l.unkept(err)
			return
		}
	}
}

// unkept notes how it went, and has the first failure told.
func (l *Log) unkept(err error) {
	l.mu.Lock()
	before := l.health.Unkept
	l.health.Unkept = err
	l.mu.Unlock()
	if err != nil && before == nil {
		l.tell(err)
	}
}

// keepPage does one thing with the disk, and reports whether there is more to do.
func (l *Log) keepPage() (more bool, err error) {
	l.mu.Lock()
	f, t := &l.file, l.tree
	l.compareLate()
	opened, renew, kept := f.opened, f.renew, f.kept
	var page []Block
	if f.late == nil {
		rest := l.tree.blocks[kept:]
		page = rest[:min(len(rest), proof.Width)]
	}
	l.mu.Unlock()
	switch {
	case !opened:
		return true, l.open()
	case renew:
		err = l.disk.Renew()
	case len(page) > 0:
		kept, err = l.disk.Write(kept, page)
	default:
		return false, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.tree != t: // the tree was made again meanwhile: so is the file
	case renew && err == nil:
		*f = file{opened: true}
	case !renew:
		f.kept += kept
	}
	return true, err
}

// open opens what could not be before.
func (l *Log) open() error {
	kept, before, err := l.disk.Open()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.opened, l.file.late = true, kept
	if len(l.tree.before) == 0 && len(before) > 0 {
		l.tree.against(before)
	}
	return nil
}

// compareLate holds what was there when the file could be opened at last against the tree, once that has as many
// blocks. The caller holds the mutex.
func (l *Log) compareLate() {
	late := l.file.late
	if late == nil || len(l.tree.blocks) < len(late) {
		return
	}
	if l.file.late = nil; slices.Equal(late, l.tree.blocks[:len(late)]) {
		l.file.kept = len(late)
		return
	}
	l.file.renew, l.file.kept = true, 0
	l.tree.against(late)
}
