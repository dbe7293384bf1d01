package explain

import "strings"

// stripExtension returns a local part without its extension, and false when it
// has none (Postfix: split_addr(3)).
func (p *planner) stripExtension(local, delimiters string) (bare string, ok bool) {
	lower := strings.ToLower(local)
	switch {
	case lower == "postmaster", lower == "mailer-daemon", strings.EqualFold(local, p.param("double_bounce_sender")):
		return "", false
	case !strings.Contains(delimiters, "-"), p.param("owner_request_special") == "no":
	case strings.HasPrefix(lower, "owner-"), len(lower) > len("-request") && strings.HasSuffix(lower, "-request"):
		return "", false // a mailing list's own address
	}
	at := strings.IndexAny(local, delimiters)
	if at <= 0 {
		return "", false
	}
	return local[:at], true
}

// quoteLocal returns a local part in the form that mail headers have it: in
// quotes unless it is a sequence of atoms with dots between them (RFC 5322,
// 3.2.3). Bytes beyond ASCII need none.
func quoteLocal(local string) string {
	if isDotString(local) {
		return local
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		if c := local[i]; c == '"' || c == '\\' || c == '\r' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

func isDotString(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for i := 0; i < len(local); i++ {
		if c := local[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`()<>@,;:\"[]`, c) >= 0 {
			return false
		}
	}
	return true
}

// unquote returns an address without the quotes of its local part, which is what
// stands before the last @ that is not in quotes.
func unquote(address string) string {
	var b strings.Builder
	quoted, at, length := false, -1, 0
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case c == '"':
			quoted = !quoted
			continue
		case c == '@' && !quoted:
			at, length = i, b.Len()
		case c == '\\' && i+1 == len(address):
			continue
		case c == '\\':
			i++
		}
		b.WriteByte(address[i])
	}
	if at < 0 {
		return b.String()
	}
	return b.String()[:length] + address[at:]
}
