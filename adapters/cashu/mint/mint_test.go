package mint_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"sandglass/adapters/cashu/mint"
)

func TestCheckURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://mint.example.org": true, "https://mint.example.org/Bitcoin": true, "https://mint.example.org:3338": true,
		"https://8.8.8.8": true, "https://[2606:4700::1]": true, "http://mint.example.org": false, "https://mint.example.org/": false,
		"https://mint.example.org.": false, "https://MINT.example.org": false, "HTTPS://mint.example.org": false,
		"https://me@mint.example.org": false, "https://mint.example.org?a": false, "https://mint.example.org#a": false,
		"https://mint.example.org/a//b": false, "mint.example.org": false, "": false, "https://": false, "file:///etc/passwd": false,
		"https://mint.example.org?": false,
	} {
		if err := mint.CheckURL(url, false); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := mint.CheckURL("http://127.0.0.1:3338", true); err != nil {
		t.Error(err)
	}
}

// TestAddressesInside are not dialed, by whichever name they go.
func TestAddressesInside(t *testing.T) {
	asked := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	port := s.URL[len("http://127.0.0.1"):]
	for _, url := range []string{
		s.URL, "http://localhost" + port, "http://[::1]" + port, "http://[::ffff:127.0.0.1]" + port, "http://0.0.0.0" + port,
		"http://127.1.2.3" + port, "http://10.0.0.1" + port, "http://192.168.1.1" + port, "http://169.254.169.254" + port,
		"http://172.16.0.1" + port, "http://100.64.0.1" + port, "http://[fe80::1]" + port, "http://[fd00::1]" + port,
		"http://[64:ff9b::7f00:1]" + port, "http://[::127.0.0.1]" + port, "http://[2002:7f00:1::]" + port, "http://224.0.0.1" + port,
		"http://255.255.255.255" + port, "http://198.18.0.1" + port, "http://[ff02::1]" + port,
	} {
		c := mint.New(url, false)
		if _, err := c.Keysets(t.Context()); !errors.Is(err, mint.ErrUnavailable) {
			t.Errorf("%s: %v", url, err)
		}
		c.Close()
	}
	c := mint.New(s.URL, true)
	defer c.Close()
	if asked {
		t.Error("one was asked")
	}
	if _, err := c.Keysets(t.Context()); !errors.Is(err, mint.ErrUnavailable) || !asked {
		t.Errorf("one that may be inside was not asked: %v", err)
	}
}

// FuzzAnswers: whatever a mint answers is what was asked for, a refusal of few words, or none.
func FuzzAnswers(f *testing.F) {
	f.Add(200, []byte(`{"quote":"q","amount":7,"fee_reserve":1,"state":"PAID","expiry":null}`))
	f.Add(200, []byte(`{"keysets":[{"id":"00","unit":"sat","active":true,"input_fee_ppk":100}]}`))
	f.Add(400, []byte(`{"detail":"Token already spent.","code":11001}`))
	f.Add(400, []byte(`{"detail":[{"msg":"no"}]}`))
	f.Add(302, []byte(``))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}))
		defer s.Close()
		c := mint.New(s.URL, true)
		defer c.Close()
		q, err := c.Ask(context.Background(), "q", 7)
		if err == nil && (q.ID != "q" || q.Amount != 7 || q.Reserve < 0 || q.State == "") {
			t.Errorf("%+v", q)
		}
		_, melted := c.Melt(context.Background(), "q", nil)
		_, read := c.Keysets(context.Background())
		for _, err := range []error{err, melted, read} {
			no, refused := errors.AsType[*mint.Refusal](err)
			if err != nil && !refused && !errors.Is(err, mint.ErrUnavailable) || refused && len([]rune(no.Why)) > 200 {
				t.Errorf("%v", err)
			}
		}
	})
}
