package web

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sandglass/adapters/httpapi/wire"
	"sandglass/adapters/web/feeds"
	"sandglass/domain/instant"
)

// The endings of what can be subscribed to, after the path of a resource's page. No id has a dot.
const (
	calendarEnding = ".ics"
	feedEnding     = ".atom"
)

// lookEvery is how often subscribers are asked to look.
const lookEvery = time.Hour

// byEnding answers with the page of a resource, its calendar or its feed.
func (s *Site) byEnding(p *page) error {
	id := p.r.PathValue("id")
	if of, ok := strings.CutSuffix(id, calendarEnding); ok {
		return s.subscribe(p, of, calendarEnding, "text/calendar; charset=utf-8", p.calendar)
	}
	if of, ok := strings.CutSuffix(id, feedEnding); ok {
		return s.subscribe(p, of, feedEnding, "application/atom+xml; charset=utf-8", p.feed)
	}
	return s.resource(p)
}

// subscribe answers with what is written of a resource and of what happened to it.
func (s *Site) subscribe(
	p *page, id, ending, kind string, write func(r *wire.Resource, changes []wire.Change) []byte,
) error {
	h, err := p.api("").History(p.r.Context(), id, "") // first: a calendar takes what has its number for what it knows
	if err != nil {
		return err
	}
	r, err := p.api("").Resource(p.r.Context(), id)
	if err != nil {
		return err
	}
	body, changed := write(&r, h.Changes), r.Since
	if n := len(h.Changes); n > 0 {
		changed = h.Changes[n-1].At
	}
	header := p.w.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Disposition", `inline; filename="`+r.ID+ending+`"`)
	header.Set("Content-Language", p.Lang())
	header.Add("Vary", "Accept-Language")
	header.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(body)))
	modified := changed.Std()
	if p.site.Now().Sub(changed) < 2*instant.Second {
		modified = time.Time{} // more may come within that second
	}
	http.ServeContent(p.w, p.r, "", modified, bytes.NewReader(body))
	return nil
}

// calendar writes one event: when the time that is paid ends, or when the resource is deleted for want of it.
// Where neither is to come it is cancelled, so that who has it from before loses it.
func (p *page) calendar(r *wire.Resource, changes []wire.Change) []byte {
	e := feeds.Event{UID: r.ID + "@" + p.site.uidHost(), Changed: r.Since, Link: p.Full("/r/" + r.ID)}
	if n := len(changes); n > 0 {
		e.Changed, e.Sequence = changes[n-1].At, min(changes[n-1].Revision, math.MaxInt32)
	}
	switch {
	case r.PaidUntil > 0:
		e.At, e.Title, e.Text = r.PaidUntil, p.T("calendar.ends", r.ID), p.T("calendar.ends.text")
		e.Alarm = r.PaidUntil.Sub(warned(r, changes))
	case r.Status == "suspended" && r.ReleaseAt > 0:
		e.At, e.Title, e.Text = max(r.ReleaseAt, r.HeldUntil), p.T("calendar.release", r.ID), p.T("calendar.release.text")
		e.Alarm = e.At.Sub(r.Since) / 2
	default:
		e.At, e.Title, e.Cancelled = r.Since, p.T("calendar.other", r.ID, p.T("status."+r.Status)), true
	}
	c := feeds.Calendar{Name: r.ID + " · " + p.Shop(), Every: lookEvery, Events: []feeds.Event{e}}
	return c.AppendTo(nil)
}

// warned returns when a resource that runs warns, or did: at its end where it never does.
func warned(r *wire.Resource, changes []wire.Change) instant.Time {
	if r.WarnAt > 0 {
		return r.WarnAt
	}
	for _, c := range slices.Backward(changes) {
		if r.Warned && c.What == "warned" {
			return c.At
		}
	}
	return r.PaidUntil
}

// Webcal returns the link by which calendars subscribe, and do not only read once; "" where no address is known.
func (p *page) Webcal(id string) template.URL {
	_, rest, ok := strings.Cut(p.Full("/r/"+url.PathEscape(id)+calendarEnding+p.query(nil)), "://")
	if !ok {
		return ""
	}
	return template.URL("webcal://" + rest) // ours, and escaped
}

// uidHost is what tells our events from those of all others.
func (s *Site) uidHost() string {
	if _, host, ok := strings.Cut(s.origin, "://"); ok {
		return host + s.prefix
	}
	return "sandglass"
}

// feed writes what happened, newest first.
func (p *page) feed(r *wire.Resource, changes []wire.Change) []byte {
	link := p.Full("/r/" + r.ID)
	f := feeds.Feed{
		ID: link, Title: r.ID + " · " + p.Shop(), Author: p.Shop(), Language: p.Lang(), Link: link, Changed: r.Since,
	}
	if link == "" {
		f.ID = "urn:sandglass:" + r.ID
	} else {
		f.Self = p.Full("/r/" + r.ID + feedEnding)
	}
	if n := len(changes); n > 0 {
		f.Changed = changes[n-1].At
	}
	for _, c := range slices.Backward(changes) {
		text := p.happened(&c)
		f.Entries = append(f.Entries, feeds.Entry{
			ID: f.ID + "#" + strconv.FormatInt(c.Revision, 10), Title: text, Text: strings.TrimSpace(text + "\n" + link), At: c.At,
		})
	}
	return f.AppendTo(nil)
}

// happened says in words what happened to a resource.
func (p *page) happened(c *wire.Change) string {
	key := "life." + c.What
	switch c.What {
	case "opened":
		return p.T(key, c.Plan)
	case "credited":
		return p.T(key, p.Sat(c.Amount), p.Words(c.Time))
	case "granted", "returned":
		return p.T(key, p.Words(c.Time))
	case "reversed":
		return p.T(key, p.Sat(c.Amount))
	case "repriced":
		return p.T(key, p.PerHour(*c.Price))
	case "placed":
		return p.T(key, c.Host)
	}
	return p.T(key)
}
