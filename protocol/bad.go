package protocol

import "unicode/utf8"

// warnLimit is how much of a client's string a warning repeats, in bytes.
const warnLimit = 2048

// peer is what warnings call the client, as Postfix's multi_server.c does.
func (c *ServerConn) peer() string { return c.opt.Name + " socket" }

// bad fills in the connection's BadRequest for an answer on a connection that
// stays usable.
func (c *ServerConn) bad(reason string) error {
	c.badRequest = BadRequest{Reason: reason, Reply: Reply{Status: StatusBad}}
	return &c.badRequest
}

// refuse is bad with a warning.
func (c *ServerConn) refuse(reason string) error {
	c.opt.Warn(reason)
	return c.bad(reason)
}

// hangup fills in the connection's BadRequest for a connection that is to be
// closed.
func (c *ServerConn) hangup(reason string, noReply bool) error {
	c.badRequest = BadRequest{Reason: reason, Reply: Reply{Status: StatusBad}, NoReply: noReply, Hangup: true}
	return &c.badRequest
}

// missing: the list has ended before the wanted attribute ("": the flags, under
// whatever name the dialect has for them).
func (c *ServerConn) missing(q *Request, wanted string) error {
	c.guessDialect(q, nil)
	if wanted == "" {
		wanted = flagsName(q.Dialect)
	}
	err := c.refuse("missing attribute " + wanted + " in input from " + c.peer())
	c.badRequest.NoReply = q.Kind == KindUnknown
	return err
}

// unexpected: another attribute is where the wanted one ("": the flags) should
// be. Its name has been read, its value has not.
func (c *ServerConn) unexpected(q *Request, name span, wanted string) error {
	c.guessDialect(q, c.scan.bytes(name))
	if wanted == "" {
		wanted = flagsName(q.Dialect)
	}
	c.skipFrom(expectValue)
	err := c.refuse(c.unexpectedText(name, wanted))
	c.badRequest.NoReply = q.Kind == KindUnknown
	return err
}

func (c *ServerConn) unexpectedText(name span, wanted string) string {
	return warningText("unexpected attribute ", c.scan.bytes(name),
		" from "+c.peer()+" (expecting: "+wanted+")")
}

// broken: a string could not be read to its end.
func (c *ServerConn) broken(q *Request, err error, reading string) error {
	c.guessDialect(q, nil)
	where := c.peer() + " while reading " + reading
	if err == errTooLong {
		// Not an error of Postfix, which has no limits here.
		c.skipString(expectation(reading == readingValue))
		err := c.refuse("string too long from " + where)
		c.badRequest.NoReply = q.Kind == KindUnknown
		return err
	}
	var reason string
	switch {
	case len(c.scan.buffered()) > 0:
		reason = "unexpected end-of-input from " + where
	case isTimeout(err):
		reason = "timeout on " + where
	default:
		reason = "premature end-of-input on " + where
	}
	c.opt.Warn(reason)
	// A client that was too slow gets no BAD: Postfix's own clients take BAD
	// for a fatal error, and a closed connection for a reason to try again.
	return c.hangup(reason, q.Kind == KindUnknown || isTimeout(err))
}

func flagsName(d Dialect) string {
	if d == Dialect311 {
		return attrInstanceFlags
	}
	return attrFlags
}

// guessDialect decides in which form to answer a request that has not told its
// dialect: that of the flags attributes among first and what else has arrived
// of the list, else that of the connection's last request, else the default.
func (c *ServerConn) guessDialect(q *Request, first []byte) {
	if q.Dialect != DialectUnknown {
		return
	}
	q.Dialect = c.resemblance(first)
	if q.Dialect == DialectUnknown {
		q.Dialect = c.last
	}
	if q.Dialect == DialectUnknown {
		q.Dialect = c.opt.DefaultDialect
	}
}

// resemblance looks at the attribute names of a list from first on. The value
// of first and all that follows is buffered.
func (c *ServerConn) resemblance(first []byte) Dialect {
	if first == nil {
		return DialectUnknown
	}
	found := DialectUnknown
	name, rest := first, c.scan.buffered()
	for len(name) > 0 {
		switch string(name) {
		case attrInstanceFlags:
			return Dialect311
		case attrFlags:
			found = Dialect37
		}
		_, rest = cut(rest)
		name, rest = cut(rest)
	}
	return found
}

// printable replaces what could forge or garble a log line.
func printable(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 || r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			out = append(out, '?')
		} else {
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	return out
}

// warningText puts a client's string into a warning.
func warningText(before string, p []byte, after string) string {
	return before + string(printable(p[:min(len(p), warnLimit)])) + after
}
