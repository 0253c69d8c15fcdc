package web_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sandglass/adapters/httpapi/wire"
	"sandglass/domain/instant"
)

const shopURL = "https://example.org/pay"

// life returns a resource that was paid and runs, and what happened to it.
func life(t *testing.T) (wire.Resource, []wire.Change) {
	t.Helper()
	opened := at(t, "2026-01-02T03:04:05.678Z")
	r := wire.Resource{
		ID: "web-1", Plan: "small", Status: "running", Since: opened, PaidUntil: opened.Add(instant.Day),
		WarnAt: opened.Add(22 * instant.Hour),
	}
	return r, []wire.Change{
		{Revision: 0, What: "opened", At: opened, Plan: "small"},
		{Revision: 1, What: "credited", At: opened, Amount: 86_400_000, Time: instant.Day},
		{Revision: 2, What: "started", At: opened},
	}
}

// calendarOf returns the event of a resource: its properties, by name, the alarm's trigger among them.
func calendarOf(t *testing.T, url, lang string, r wire.Resource, changes []wire.Change) map[string]string {
	t.Helper()
	got := canned{
		"/v1/resources/web-1": r, "/v1/resources/web-1/history?payment=": wire.History{Changes: changes},
	}.ask(t, url, lang, "/r/web-1.ics")
	if kind := got.Header().Get("Content-Type"); got.Code != 200 || kind != "text/calendar; charset=utf-8" {
		t.Fatalf("%d %s: %s", got.Code, kind, got.Body)
	}
	_, event, _ := strings.Cut(got.Body.String(), "BEGIN:VEVENT\r\n")
	props := map[string]string{}
	for _, line := range strings.Split(strings.ReplaceAll(event, "\r\n ", ""), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if _, twice := props[name]; !twice {
			props[name] = value
		}
	}
	return props
}

// is compares some properties.
func is(t *testing.T, what string, got map[string]string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s is %q, want %q", what, name, got[name], value)
		}
	}
}

// TestTheCalendarOfALife: it is one event, which moves and is cancelled with what becomes of the resource.
func TestTheCalendarOfALife(t *testing.T) {
	r, changes := life(t)
	running := calendarOf(t, shopURL, "", r, changes)
	is(t, "it runs", running, map[string]string{
		"UID": "web-1@example.org/pay", "SEQUENCE": "2", "DTSTAMP": "20260102T030405Z", "DTSTART": "20260103T030405Z",
		"SUMMARY": "web-1: the time that is paid ends", "URL": "https://example.org/pay/r/web-1", "STATUS": "CONFIRMED",
		"TRIGGER": "-PT7200S",
	})
	is(t, "in German", calendarOf(t, shopURL, "de", r, changes), map[string]string{"SUMMARY": "web-1: Die bezahlte Zeit endet"})

	warned := wire.Change{Revision: 5, What: "warned", At: r.WarnAt}
	r.WarnAt, r.Warned = 0, true
	is(t, "it warned", calendarOf(t, shopURL, "", r, append(changes, warned)), map[string]string{
		"UID": running["UID"], "SEQUENCE": "5", "DTSTAMP": "20260103T010405Z", "DTSTART": running["DTSTART"], "TRIGGER": "-PT7200S",
	})
	r.Warned = false
	if got := calendarOf(t, shopURL, "", r, changes); got["TRIGGER"] != "" {
		t.Errorf("it never warns: %v", got)
	}

	out := r
	out.Status, out.Since, out.PaidUntil, out.ReleaseAt = "suspended", r.PaidUntil, 0, r.PaidUntil.Add(instant.Day)
	suspended := calendarOf(t, shopURL, "", out, changes)
	is(t, "it is suspended", suspended, map[string]string{
		"UID": running["UID"], "DTSTART": "20260104T030405Z", "SUMMARY": "web-1 is deleted unless it is topped up",
		"STATUS": "CONFIRMED", "TRIGGER": "-PT43200S",
	})
	out.HeldUntil = out.ReleaseAt.Add(instant.Day)
	is(t, "a payment holds it", calendarOf(t, shopURL, "", out, changes), map[string]string{"DTSTART": "20260105T030405Z"})

	for status, title := range map[string]string{
		"awaiting": "web-1: Wartet auf die Zahlung", "paused": "web-1: Angehalten", "released": "web-1: Endgültig beendet",
	} {
		other := wire.Resource{ID: "web-1", Status: status, Since: r.PaidUntil, ReleaseAt: out.ReleaseAt}
		got := calendarOf(t, shopURL, "de", other, nil)
		is(t, status, got, map[string]string{
			"UID": running["UID"], "SEQUENCE": "0", "DTSTART": "20260103T030405Z", "SUMMARY": title, "STATUS": "CANCELLED", "TRIGGER": "",
		})
	}
}

// TestTheNumberIsNotAheadOfWhatIsSaid: a calendar drops what comes later under the number that it has already.
func TestTheNumberIsNotAheadOfWhatIsSaid(t *testing.T) {
	r, changes := life(t)
	api := canned{"/v1/resources/web-1": r, "/v1/resources/web-1/history?payment=": wire.History{Changes: changes}}
	var asked []string
	got := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		api.ServeHTTP(w, r)
	}), shopURL, "", httptest.NewRequest("GET", "/r/web-1.ics", nil))
	if got.Code != 200 || !slices.Equal(asked, []string{"/v1/resources/web-1/history", "/v1/resources/web-1"}) {
		t.Errorf("%d: it asked for %q", got.Code, asked)
	}
}

func TestASubscriptionWithoutAPublicURL(t *testing.T) {
	r, changes := life(t)
	got := calendarOf(t, "", "", r, changes)
	is(t, "a calendar", got, map[string]string{"UID": "web-1@sandglass", "URL": ""})
	api := canned{"/v1/resources/web-1": r, "/v1/resources/web-1/history?payment=": wire.History{Changes: changes}}
	if got := api.ask(t, "", "", "/r/web-1.atom").Body.String(); !strings.Contains(got, "<id>urn:sandglass:web-1</id>") ||
		strings.Contains(got, "<link") {
		t.Errorf("a feed: %s", got)
	}
	for _, path := range []string{"/r/web-2.ics", "/r/web-2.atom", "/r/.ics", "/r/web-1.rss"} {
		if got := api.ask(t, "", "", path); got.Code != 404 || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v", path, got.Code, got.Header())
		}
	}
}

func TestTheFeedOfALife(t *testing.T) {
	r, changes := life(t)
	api := canned{"/v1/resources/web-1": r, "/v1/resources/web-1/history?payment=": wire.History{Changes: changes}}
	got := api.ask(t, shopURL, "", "/r/web-1.atom?lang=de")
	type entry struct {
		ID      string  `xml:"id"`
		Title   string  `xml:"title"`
		Updated string  `xml:"updated"`
		Entry   []entry `xml:"entry"`
	}
	var feed entry
	if err := xml.Unmarshal(got.Body.Bytes(), &feed); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	if feed.ID != shopURL+"/r/web-1" || feed.Title != "web-1 · Ann & Sons" || feed.Updated != changes[2].At.String() {
		t.Errorf("the feed: %+v", feed)
	}
	want := []string{"Läuft: Die Zeit vergeht", "Bezahlt: 86\u202f400\u202fsat für 1 Tag", "Bestellt: small"}
	for i, e := range feed.Entry {
		if i >= len(want) || e.Title != want[i] || e.ID != feed.ID+"#"+string(rune('2'-i)) {
			t.Errorf("entry %d: %+v", i, e)
		}
	}
	if len(feed.Entry) != len(want) {
		t.Errorf("%d entries", len(feed.Entry))
	}
}

// TestThePageLinksWhatCanBeSubscribedTo: calendars take to themselves what is at webcal.
func TestThePageLinksWhatCanBeSubscribedTo(t *testing.T) {
	r, _ := life(t)
	r.Lots = []wire.Lot{{Payment: paidKey, Amount: 5000, Time: 5, Left: 5}}
	api := canned{"/v1/resources/web-1": r, "/v1/plans": wire.Plans{}}
	for url, links := range map[string][]string{
		shopURL: {
			"webcal://example.org/pay/r/web-1.ics?lang=de", "/pay/r/web-1.ics?lang=de", "/pay/r/web-1.atom?lang=de",
			"/pay/p/ln-00ff?lang=de&amp;resource=web-1",
		},
		"": {"/r/web-1.ics?lang=de", "/r/web-1.atom?lang=de", "/p/ln-00ff?lang=de&amp;resource=web-1"},
	} {
		body := api.ask(t, url, "en", "/r/web-1?lang=de").Body.String()
		for _, link := range links {
			if !strings.Contains(body, `href="`+link+`"`) {
				t.Errorf("at %q: no link to %s in %s", url, link, body)
			}
		}
		if strings.Contains(body, "webcal:") != (url != "") {
			t.Errorf("at %q: %s", url, body)
		}
	}
}

// TestAllThatHappensIsSaidInWords: whatever the API says that it tells.
func TestAllThatHappensIsSaidInWords(t *testing.T) {
	what, _ := reflect.TypeFor[wire.Change]().FieldByName("What")
	names := strings.Split(what.Tag.Get("enum"), ",")
	if len(names) < 10 {
		t.Fatalf("names: %v", names)
	}
	for _, lang := range []string{"en", "de"} {
		var texts []string
		for _, name := range names {
			r, _ := life(t)
			c := wire.Change{
				What: name, At: r.Since, Amount: 1000, Time: instant.Hour, Price: &wire.Price{Msat: 1000, Per: instant.Hour},
				Host: "rack-1", Plan: "small",
			}
			api := canned{"/v1/resources/web-1": r, "/v1/resources/web-1/history?payment=": wire.History{Changes: []wire.Change{c}}}
			got := api.ask(t, shopURL, lang, "/r/web-1.atom").Body.String()
			_, got, _ = strings.Cut(got, "<entry>")
			_, got, _ = strings.Cut(got, "<title>")
			got, _, _ = strings.Cut(got, "</title>")
			if got == "" || strings.Contains(got, "life.") || strings.Contains(got, "{") || slices.Contains(texts, got) {
				t.Errorf("%s of %s: %q", lang, name, got)
			}
			texts = append(texts, got)
		}
	}
}
