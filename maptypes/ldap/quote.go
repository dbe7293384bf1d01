package ldap

const upperHex = "0123456789ABCDEF"

// quoteDN appends a part of a lookup key so that it is one value in a DN (RFC
// 4514). Blanks and # are quoted everywhere, as in Postfix.
func quoteDN(dst, value []byte, _ int) []byte { return quote(dst, value, " \t\"#+,;<>\\") }

// quoteFilter appends a part of a lookup key so that it is one value in a search
// filter (RFC 4515).
func quoteFilter(dst, value []byte, _ int) []byte { return quote(dst, value, "*()\\") }

func quote(dst, value []byte, special string) []byte {
	for _, c := range value {
		quoted := c == 0
		for i := 0; i < len(special); i++ {
			quoted = quoted || c == special[i]
		}
		if quoted {
			dst = append(dst, '\\', upperHex[c>>4], upperHex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
