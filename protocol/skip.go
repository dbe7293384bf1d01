package protocol

import "bytes"

// skipState is the way to the end of a list of which no more is wanted.
//
// Postfix drops whatever it happens to have buffered at that moment. That loses
// the next request if it came in the same packet, and takes the rest of this
// one for a request if it comes in a later packet. Here the list is skipped to
// its end, wherever that is. What a client sends later is taken for a new
// request if it begins with one, because a client that left its list open has
// had its answer (Postfix resynchronizes at that point, too).
type skipState struct {
	active bool
	next   expectation // what the next string, or the rest of this one, is
	inside bool        // some bytes of the string have been dropped
}

// expectation says which part of an attribute comes next.
type expectation bool

const (
	expectName  expectation = false
	expectValue expectation = true
)

var requestPrefix = []byte(attrRequest + "\x00")

// skipFrom begins to skip at the next string, as far as it has arrived.
func (c *ServerConn) skipFrom(next expectation) {
	c.skip = skipState{active: true, next: next}
	c.skipBuffered()
}

// skipString begins to skip with the string that is being read.
func (c *ServerConn) skipString(current expectation) {
	c.skip = skipState{active: true, next: current}
	c.skipBuffered()
}

// skipBuffered goes on as far as the buffer does.
func (c *ServerConn) skipBuffered() {
	for c.skip.active {
		p := c.scan.buffered()
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			c.skip.inside = c.skip.inside || len(p) > 0
			c.scan.discard(len(p))
			return
		}
		c.scan.discard(i + 1)
		if i == 0 && c.skip.next == expectName && !c.skip.inside {
			c.skip.active = false
		}
		c.skip.inside = false
		c.skip.next = !c.skip.next
	}
}

// skipRest goes on with what has arrived since. The client must finish the
// list in the time that a request may take; if it does not, that is an error
// without a warning, because the list has had its one.
func (c *ServerConn) skipRest() error {
	if resync, err := c.atRequest(); err != nil {
		return err
	} else if resync {
		c.skip.active = false
		return nil
	}
	for {
		c.skipBuffered()
		if !c.skip.active {
			return nil
		}
		c.scan.begin()
		if err := c.scan.fill(); err != nil {
			return err
		}
	}
}

// atRequest reports whether the buffer begins with a request attribute.
func (c *ServerConn) atRequest() (bool, error) {
	for {
		p := c.scan.buffered()
		if len(p) >= len(requestPrefix) {
			return bytes.HasPrefix(p, requestPrefix), nil
		}
		if !bytes.HasPrefix(requestPrefix, p) {
			return false, nil
		}
		if err := c.scan.fill(); err != nil {
			return false, err
		}
	}
}

// swallowEmptyLists drops the empty lists that have arrived after another: a
// stream of NULs is worth one warning a packet.
func (c *ServerConn) swallowEmptyLists() {
	p := c.scan.buffered()
	c.scan.discard(len(p) - len(bytes.TrimLeft(p, "\x00")))
}

// cut returns the first NUL-terminated string of p and the rest.
func cut(p []byte) (first, rest []byte) {
	first, rest, _ = bytes.Cut(p, []byte{0})
	return first, rest
}
