package browser

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// notice keeps what the user of a page does not see. The browser waits for it.
func (p *Page) notice(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
		if there, from := origin(e.Request.URL), origin(e.DocumentURL); there != from && there != "" {
			p.complaints = append(p.complaints, "a request to another origin: "+e.Request.URL)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			p.complaints = append(p.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.complaints = append(p.complaints, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			p.complaints = append(p.complaints, fmt.Sprintf("console.%s: %s", e.Type, words(e.Args)))
		}
	}
}

// origin is the origin of a URL, or "" of one that needs no connection.
func origin(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func words(args []*runtime.RemoteObject) (all []string) {
	for _, a := range args {
		all = append(all, string(a.Value)+a.Description)
	}
	return all
}

// Complaints returns what went wrong on the pages so far that no user sees, and forgets it.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.complaints
	p.complaints = nil
	return all
}

// Forgive forgets complaints that a pattern fits.
func (p *Page) Forgive(pattern string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	re := regexp.MustCompile(pattern)
	p.complaints = slices.DeleteFunc(p.complaints, re.MatchString)
}

// Requests returns the URLs that the page has asked for, and forgets them.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.requests
	p.requests = nil
	return all
}
