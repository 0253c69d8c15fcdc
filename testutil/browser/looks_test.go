package browser_test

import (
	"testing"

	"sandglass/domain/instant"
	"sandglass/testutil/browser"
	"sandglass/testutil/clients"
	"sandglass/testutil/seller"
)

// TestLooks looks at each page as it is before anything was paid, at each size.
func TestLooks(t *testing.T) {
	b := start(t)
	axe, err := clients.New(t).Axe()
	if err != nil {
		t.Fatal(err)
	}
	s := seller.Open(t)
	s.Publish(small)
	s.Order("small", "vm-1", instant.Hour)
	for _, look := range []browser.Look{browser.Desktop, browser.Phone, browser.Narrow} {
		v := open(t, b, look)
		for _, page := range []struct{ at, name, says string }{
			{"/", "shop", "A small server"},
			{"/r/vm-1", "awaiting", "Waiting for your payment"},
			{"/?lang=de", "shop in German", "Was es zu mieten gibt"},
			{"/order?plan=small&lang=de", "order in German", "Für wie lange?"},
			{"/r/vm-1?lang=de", "awaiting in German", "Wartet auf die Zahlung"},
		} {
			v.goes(s.URL + page.at)
			v.says(page.says)
			v.well(axe, page.name)
		}
		v.goes(s.URL + "/r/nobody")
		v.says("There is nothing here")
		v.Forgive("404")
		v.well(axe, "not found")
	}
}
