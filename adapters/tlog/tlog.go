// Package tlog serves the tree of the log by c2sp.org/tlog-tiles: its checkpoint, the tiles that all its
// proofs are made of, and the entries, which are the hashes of events. Anybody may read them: they tell
// how many events there are and when they came, and of none of them what it says.
//
// That is so since each event has a salt. Of one of the first builds, which has none, who knows nearly all that
// it says could find out the rest by trying: entries, and tiles of the lowest level, in which there is one are
// for auditors. All that is above them is for everybody.
//
// Each name under which the log was signed has a folder, /log/<fork>/. Of one that was left behind there
// is the last checkpoint, and nothing else: the tree has gone on under the next. /log/ says which there
// are, and why; /log/key is the public key of the present one.
package tlog

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sandglass/domain/proof"
	"sandglass/domain/proof/follow"
	"sandglass/domain/proof/fork"
	"sandglass/domain/proof/signing"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree is the log's tree, as package follow keeps it.
type Tree interface {
	Tile(ctx context.Context, level int, n int64, width int) ([]proof.Hash, error)
	Entries(ctx context.Context, n int64, width int) ([]proof.Hash, error)
	Salted(ctx context.Context, n int64) (bool, error)
	Made() int64 // how often the tree was made again: what was read before is of another
}

// patience is how long a tile may take: a store that is away would have each request wait for it.
const patience = 30 * time.Second

// Options are what a log is served from. All are required but Note.
type Options struct {
	Tree   Tree
	Status func() signing.Status
	// Note returns the checkpoint to be shown of the present log, with the lines of those who cosigned it:
	// without it, it is the latest as it was signed.
	Note func() []byte
	// Auditor reports whether a request is from who may read the events.
	Auditor func(*http.Request) bool
	// Failed hears of what is no fault of the client's.
	Failed func(ctx context.Context, err error)
}

// Log answers requests.
type Log struct {
	Options
	cache *cache
}

// New returns a log.
func New(o Options) *Log { return &Log{o, newCache()} }

// Patterns are those of [http.ServeMux] that a log answers.
func Patterns() []string {
	return []string{"GET /log/{$}", "GET /log/key", "GET /log/{fork}/{path...}"}
}

// What clients are told of how long an answer holds.
const (
	notKept  = "no-cache"
	kept     = "public, max-age=31536000, immutable"
	forAHour = "public, max-age=3600"
	secret   = "private, no-store"
)

// ServeHTTP implements [http.Handler], for a mux of [Patterns].
func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := l.Status()
	number, path := r.PathValue("fork"), r.PathValue("path")
	if number == "" {
		l.about(w, r, &s)
		return
	}
	now, at := find(s.Forks, number)
	switch {
	case at == nil:
		refuse(w, http.StatusNotFound, "no such log: /log/ says which there are")
	case path == "":
		text(w, notKept, places(at, now))
	case path == "checkpoint":
		l.checkpoint(w, &s, at, now)
	case !now:
		refuse(w, http.StatusGone, fmt.Sprintf("fork %d was left behind: /log/ says why, and where the log goes on", at.Number))
	default:
		l.tile(w, r, &s, path)
	}
}

// find returns the fork of a number, and whether it is the present one.
func find(forks []fork.One, number string) (now bool, at *fork.One) {
	for i := range forks {
		if strconv.FormatInt(forks[i].Number, 10) == number {
			return i == len(forks)-1, &forks[i]
		}
	}
	return false, nil
}

func text(w http.ResponseWriter, holds, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", holds)
	_, _ = w.Write([]byte(body)) // who asked may have gone
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Cache-Control", notKept)
	http.Error(w, why, status)
}

// about answers /log/ and /log/key.
func (l *Log) about(w http.ResponseWriter, r *http.Request, s *signing.Status) {
	now, opened := (&fork.State{Forks: s.Forks}).Now()
	switch {
	case strings.HasSuffix(r.URL.Path, "/key") && opened:
		text(w, notKept, now.VKey+"\n")
	case strings.HasSuffix(r.URL.Path, "/key"):
		refuse(w, http.StatusNotFound, "the log is not signed yet")
	default:
		text(w, notKept, index(s))
	}
}

// index says for people which logs there are.
func index(s *signing.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The log of this Sandglass, by c2sp.org/tlog-tiles: %s.\n", proof.Events(s.Size))
	if len(s.Forks) == 0 {
		b.WriteString("It is not signed yet.\n")
	}
	for i := len(s.Forks) - 1; i >= 0; i-- {
		one := &s.Forks[i]
		state := "present"
		if i < len(s.Forks)-1 {
			state = "left behind"
		}
		fmt.Fprintf(&b, "\n/log/%d/  %s\n  origin   %s\n  key      %s\n  since    %s, after %s\n",
			one.Number, state, one.Origin, one.VKey, one.Since, proof.Events(one.Size))
		if one.Reason != "" {
			fmt.Fprintf(&b, "  because  %s\n  leaving  %s\n", oneLine(one.Reason), cmp.Or(one.Gone, "no checkpoint"))
		}
	}
	if s.Alarm != signing.None {
		fmt.Fprintf(&b, "\nNothing is signed now: %s: %s.\n", s.Alarm, s.Detail)
	}
	return b.String()
}

// places says for people what there is of a log.
func places(at *fork.One, now bool) string {
	there := "checkpoint             the last that was signed of it: it was left behind, and /log/ says why\n"
	if now {
		there = "checkpoint             the latest that was signed\n" +
			"tile/<L>/<N>           the tiles of its tree, .p/<W> behind one that is not full\n" +
			"tile/entries/<N>       the hashes of its events, the same\n"
	}
	return fmt.Sprintf("The log %s, by c2sp.org/tlog-tiles. In this folder there are\n\n%s\nkey  %s\n", at.Origin, there, at.VKey)
}

// oneLine returns text without what would look like another line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// checkpoint answers with the latest, or the last of a fork that was left behind.
func (l *Log) checkpoint(w http.ResponseWriter, s *signing.Status, at *fork.One, now bool) {
	if now && s.Note != nil {
		msg := s.Note
		if l.Note != nil {
			msg = l.Note()
		}
		text(w, notKept, string(msg))
		return
	}
	for _, next := range s.Forks {
		if !now && next.Gone == at.Origin {
			text(w, notKept, next.Left)
			return
		}
	}
	refuse(w, http.StatusNotFound, "there is no checkpoint of it")
}

// tile answers with a tile, or the entries of one.
func (l *Log) tile(w http.ResponseWriter, r *http.Request, s *signing.Status, path string) {
	t, err := parse(path)
	if err != nil {
		refuse(w, http.StatusNotFound, "no such file: want checkpoint, tile/<L>/<N>[.p/<W>] or tile/entries/<N>[.p/<W>], "+
			"as c2sp.org/tlog-tiles writes them")
		return
	}
	if s.Note == nil || !within(t, s.Latest.Size) {
		refuse(w, http.StatusNotFound, "the log that is signed has "+proof.Events(s.Latest.Size)+": there is no such tile yet")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience) // others may wait for the same
	defer cancel()
	file, err := l.cache.get(fmt.Sprint(l.Tree.Made(), path), t.W == proof.Width, func() (file, error) { return l.read(ctx, t) })
	switch {
	case errors.Is(err, follow.ErrNotYet):
		refuse(w, http.StatusNotFound, "there is no such tile yet")
		return
	case err != nil:
		l.Failed(r.Context(), err)
		refuse(w, http.StatusServiceUnavailable, "the tile can't be read now")
		return
	case file.guessable && !l.Auditor(r):
		w.Header().Set("WWW-Authenticate", `Bearer realm="sandglass"`)
		refuse(w, http.StatusUnauthorized, "an event of this tile was written before events had a salt, and by its hash who "+
			"knows most of what it says could find out the rest: send Authorization: Bearer with the auditor's token or the "+
			"operator's; tiles of level 1 and above are for everybody")
		return
	}
	keep := holds(s, t)
	if file.guessable {
		keep = secret
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", keep)
	w.Header().Set("Content-Length", strconv.Itoa(len(file.body)))
	_, _ = w.Write(file.body) // who asked may have gone
}

// holds says how long a tile holds. Of a log that is not what was signed it is of another tree, and may be put back.
func holds(s *signing.Status, t tlog.Tile) string {
	switch {
	case s.Alarm == signing.Gone, s.Alarm == signing.Short, s.Alarm == signing.Rewritten:
		return notKept
	case t.W < proof.Width:
		return forAHour
	}
	return kept
}

// parse reads the path of a tile. There is one path for each: what x/mod writes, but for the height.
func parse(path string) (t tlog.Tile, err error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return t, errors.New("no tile")
	}
	rest = strings.Replace(rest, "entries/", "data/", 1)
	t, err = tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", proof.Height, rest))
	if err == nil && Path(t) != path {
		err = errors.New("another spelling")
	}
	return t, err
}

// Path returns where a tile is under the folder of a log: level -1 is that of entries.
func Path(t tlog.Tile) string {
	path := strings.Replace(t.Path(), fmt.Sprintf("tile/%d/", t.H), "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

// within reports whether a log of so many events has a tile.
func within(t tlog.Tile, size int64) bool {
	level := max(t.L, 0)
	if level*proof.Height >= 63 {
		return false
	}
	there := size >> (level * proof.Height)
	return t.N < there/proof.Width || t.N == there/proof.Width && int64(t.W) <= there%proof.Width
}

// file is a tile, or entries.
type file struct {
	body      []byte
	guessable bool // it has the hash of an event without a salt
}

// read returns what is in a tile.
func (l *Log) read(ctx context.Context, t tlog.Tile) (f file, err error) {
	if t.L <= 0 {
		salted, err := l.Tree.Salted(ctx, t.N)
		if f.guessable = !salted; err != nil {
			return f, err
		}
	}
	if t.L < 0 {
		entries, err := l.Tree.Entries(ctx, t.N, t.W)
		for i := range entries {
			f.body = append(binary.BigEndian.AppendUint16(f.body, uint16(len(entries[i]))), entries[i][:]...)
		}
		return f, err
	}
	hashes, err := l.Tree.Tile(ctx, t.L, t.N, t.W)
	for i := range hashes {
		f.body = append(f.body, hashes[i][:]...)
	}
	return f, err
}
