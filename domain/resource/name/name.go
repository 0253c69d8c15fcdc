// Package name says what can name a resource, its plan or its host.
package name

// Is reports whether s is 1 to 64 of a-z, 0-9 and '-', not at an end.
func Is(s string) bool {
	ok := s != "" && len(s) <= 64 && s[0] != '-' && s[len(s)-1] != '-'
	for _, c := range []byte(s) {
		ok = ok && (c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z')
	}
	return ok
}
