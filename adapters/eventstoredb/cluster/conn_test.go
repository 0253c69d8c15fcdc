package cluster

import "testing"

func TestRedact(t *testing.T) {
	for conn, want := range map[string]string{
		"esdb://ann:open:sesame@a:2113?tls=true":  "esdb://ann@a:2113?tls=true",
		"esdb://ann:p@ss@a,b/?tls=true":           "esdb://ann@a,b/?tls=true",
		"esdb://ann@a":                            "esdb://ann@a",
		"esdb://a?userCertFile=me@home":           "esdb://a?userCertFile=me@home",
		"esdb://ann:se/cr?t@a":                    "esdb://ann@a",
		"esdb+discover://ann:secret@cluster:2113": "esdb+discover://ann@cluster:2113",
		"what is this":                            "what is this",
	} {
		if got := Redact(conn); got != want {
			t.Errorf("%s is shown as %s, want %s", conn, got, want)
		}
	}
}
