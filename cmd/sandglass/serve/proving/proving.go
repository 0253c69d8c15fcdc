// Package proving is the part of the daemon by which others can check its log: the tree of it, what is
// signed of that, and how it is served. It takes no part in anything else: where it fails, money is taken on.
package proving

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"sandglass/adapters/httpapi"
	"sandglass/adapters/httpapi/middleware"
	"sandglass/adapters/notefiles"
	"sandglass/adapters/tilefiles"
	"sandglass/adapters/tlog"
	"sandglass/cmd/sandglass/config"
	"sandglass/cmd/sandglass/storeurl"
	"sandglass/domain/instant"
	"sandglass/domain/proof/checkpoint"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/receipt"
	"sandglass/domain/proof/signing"
	"sandglass/domain/proof/witnessing"
	"sandglass/domain/stream"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// Options are what it works with. All are required.
type Options struct {
	Config *config.Config
	Store  storeurl.Store
	Folded <-chan struct{} // closed once the log may be appended to
	Now    func() instant.Time
	Log    zerolog.Logger
}

// Proving is the tree of a log, and its signer.
type Proving struct {
	Options
	Signer    *signing.Signer
	Collector *witnessing.Collector // of what witnesses cosign

	tree    *follow.Log
	files   *tilefiles.Files
	keyless error // why the key could not be read or made
	unread  bool  // it is there, and could not be read
}

// New opens what is kept of the tree, and the key of the log. Where the log is in a file and was never signed, a
// key is made.
func New(ctx context.Context, o Options) (*Proving, error) {
	files := tilefiles.New(filepath.Join(o.Config.StateDir, notefiles.Dir))
	p := &Proving{Options: o, files: files, tree: follow.New(o.Store, files)}
	p.tree.Told = p.troubled
	names := &fork.Handler{Aggregate: fork.Aggregate(), Store: o.Store}
	key, err := p.key(ctx, names)
	if p.keyless = err; err != nil { // money is taken all the same
		p.line(zerolog.ErrorLevel).Err(err).Msg("the log is not signed by this daemon: its key can't be had")
	}
	p.Signer = signing.New(signing.Config{
		Tree: p.tree, Store: o.Store, Copy: notefiles.NewCopy(o.Config.StateDir), Forks: names, Key: key,
		Unread: p.unread, Origin: o.Config.Origin(), Shared: o.Config.Log().Shared(), Begun: o.Folded, Now: o.Now, Told: p.told,
		Seen: func() []signing.Seen { return p.Collector.Seen() }, // which is there before anybody looks
	})
	if p.Collector, err = p.collector(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Proving) line(l zerolog.Level) *zerolog.Event {
	return p.Log.WithLevel(l).Str("component", component)
}

// key returns the key of the log, nil if this host has none.
func (p *Proving) key(ctx context.Context, names *fork.Handler) (*checkpoint.Key, error) {
	dir := p.Config.StateDir
	key, err := notefiles.Key(dir)
	if p.unread = err != nil; key != nil || err != nil || p.Config.Log().Shared() {
		return key, err
	}
	signed, err := p.signed(ctx, names)
	if signed || err != nil {
		return nil, err
	}
	if key, err = notefiles.MakeKey(dir, p.Config.Origin()); err == nil {
		p.line(zerolog.InfoLevel).Str("path", filepath.Join(dir, notefiles.KeyFile)).
			Msg("made the key that signs the log: keep a copy of it")
	}
	return key, err
}

// signed reports whether the log was ever signed: then a key that is missing was lost.
func (p *Proving) signed(ctx context.Context, names *fork.Handler) (bool, error) {
	out, err := names.Load(ctx, fork.ID)
	if err != nil {
		return false, err
	}
	note, version, err := p.Store.Checkpoint(ctx)
	if err != nil && !errors.Is(err, checkpoint.ErrForeign) {
		return false, err
	}
	copied, err := notefiles.NewCopy(p.Config.StateDir).Load()
	own, _, marked := checkpoint.Marked(note)
	kept := version > 0 && !(marked && own == nil)
	return out.Revision != stream.NoStream || kept || copied != nil, err
}

// Run follows the log, signs it and has that cosigned, until ctx ends. Of a log that can't be read, nothing is signed.
func (p *Proving) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.files.Close()) }()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		p.follow(ctx)
		return nil
	})
	g.Go(func() error { return p.Signer.Run(ctx) })
	g.Go(func() error { return p.Collector.Run(ctx) })
	return g.Wait()
}

// Mounts returns what is served of the log beside the calls, to anybody but for what only auditors may see.
func (p *Proving) Mounts() (mounts []httpapi.Mount) {
	failed := func(ctx context.Context, err error) {
		p.line(zerolog.ErrorLevel).Err(err).Msg("a tile of the log can't be served")
	}
	auditor := func(r *http.Request) bool { return middleware.RequestOf(r.Context()).Caller.Auditor }
	log := tlog.New(tlog.Options{
		Tree: p.tree, Status: p.Signer.Status, Note: p.Collector.Note, Auditor: auditor, Failed: failed,
	})
	for _, pattern := range tlog.Patterns() {
		mounts = append(mounts, httpapi.Mount{Pattern: pattern, Handler: log, Traits: middleware.Traits{Open: true}})
	}
	return mounts
}

// Receipts returns what makes the receipts of payments.
func (p *Proving) Receipts() *receipt.Issuer {
	stopped := func() bool { return p.Signer.Status().Alarm != signing.None }
	return &receipt.Issuer{Store: p.Store, Tree: p.tree, Best: p.Collector.Best, Stopped: stopped}
}

// advice says what to do about an alarm.
func advice(s *signing.Status) string {
	what := map[signing.Alarm]string{
		signing.NoKey: "put log.key back, from where you keep it, and restart the daemon; " +
			"if it is lost for good: sandglass log key --make",
		signing.OtherKey: "put the right log.key back and restart the daemon; " +
			"if it is lost or was stolen: sandglass log fork --reason TEXT",
		signing.Foreign: "find out who wrote there, and see to it that nobody but Sandglass can; " +
			"then: sandglass log fork --reason TEXT",
		signing.Witnessed: "find out which other daemon, or copy of this one, has this log.key, stop it, and have the newer log " +
			"in use; if there is none, or none is left: sandglass log fork --reason TEXT",
		signing.Restored: "if the log that was in use is found, put that back; if it is lost: sandglass log fork --reason TEXT, " +
			"by the log.key of before; if that is lost for good, before: sandglass log key --make",
	}[s.Alarm]
	if what == "" {
		what = "find out why, and put back what is newer, if there is something; " +
			"if you restored a backup: sandglass log fork --reason TEXT"
	}
	detail := s.Detail
	if s.Where != "" {
		detail += ": by what is there now, " + s.Where
	}
	return fmt.Sprintf("nothing of the log is signed any more, while money is taken on: %s: %s; "+
		"systemd/MANUAL.md, \"The log's key\"", detail, what)
}
