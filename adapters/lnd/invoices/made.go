package invoices

import (
	"strings"
	"time"
)

// Made reads when an invoice was made: the first seven characters, of five bits each,
// after the last '1' of its BOLT 11 text. So the expiry is the one that payers see.
func Made(request string) (time.Time, bool) {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	i := strings.LastIndexByte(request, '1')
	if i < 0 || len(request) < i+8 {
		return time.Time{}, false
	}
	var seconds int64
	for _, c := range request[i+1 : i+8] {
		v := strings.IndexRune(alphabet, c)
		if v < 0 {
			return time.Time{}, false
		}
		seconds = seconds<<5 | int64(v)
	}
	return time.Unix(seconds, 0), true
}
