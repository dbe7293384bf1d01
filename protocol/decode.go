package protocol

import (
	"errors"
	"io"
	"os"
)

// What a warning says was being read (attr_scan0.c).
const (
	readingName  = "input attribute name"
	readingValue = "input attribute value"
)

// Table names that a connection remembers to save their copies.
const (
	maxNames   = 32
	maxNameLen = 512
)

// ReadRequest reads the next request into q.
//
// Its errors:
//   - *BadRequest: the request is malformed. Send its Reply with WriteReply
//     unless NoReply, then close the connection if Hangup, else go on.
//   - io.EOF: the client has closed the connection between two requests.
//   - ErrInterrupted: see Interrupt.
//   - any other: the connection failed; close it. Nothing needs logging.
func (c *ServerConn) ReadRequest(q *Request) error {
	*q = Request{}
	for {
		c.disarm()
		c.scan.begin()
		if err := c.waitFirst(); err != nil {
			return err
		}
		if !c.skip.active {
			return c.decode(q)
		}
		if err := c.skipRest(); err != nil {
			return err
		}
	}
}

// decode reads one list. Its first byte is buffered.
func (c *ServerConn) decode(q *Request) error {
	name, err := c.scan.next(MaxName)
	switch {
	case err != nil:
		return c.broken(q, err, readingName)
	case name.start == name.end:
		c.swallowEmptyLists()
		return c.missing(q, attrRequest)
	case string(c.scan.bytes(name)) != attrRequest:
		return c.unexpected(q, name, attrRequest)
	}
	value, err := c.scan.next(MaxValue)
	if err != nil {
		return c.broken(q, err, readingValue)
	}
	if q.Kind = kindOf(c.scan.bytes(value)); q.Kind == KindUnknown {
		c.skipFrom(expectName)
		return c.refuse(warningText(`unrecognized request: "`, c.scan.bytes(value), `", ignored`))
	}
	return c.decodeAttributes(q)
}

// decodeAttributes reads what follows the name of a request, in the one order
// that is allowed.
func (c *ServerConn) decodeAttributes(q *Request) error {
	if len(c.scan.buffered()) == 0 {
		if err := c.scan.fill(); errors.Is(err, io.EOF) {
			// Postfix does not warn when the input ends just here.
			c.guessDialect(q, nil)
			return c.hangup("end of input after the request name", false)
		} else if err != nil {
			return c.broken(q, err, readingName)
		}
	}
	table, err := c.want(q, attrTable)
	if err != nil {
		return err
	}
	if err := c.wantFlags(q); err != nil {
		return err
	}
	var key, value span
	if q.Kind == Lookup || q.Kind == Update || q.Kind == Delete || q.Kind == Explain {
		if key, err = c.want(q, attrKey); err != nil {
			return err
		}
	}
	if q.Kind == Update {
		if value, err = c.want(q, attrValue); err != nil {
			return err
		}
	}
	if q.Kind == Sequence {
		function, err := c.wantUint(q, attrFunction)
		if err != nil {
			return err
		}
		q.Function = int(function)
	}
	if err := c.wantEnd(q); err != nil {
		return err
	}
	if q.Kind == Sequence && q.Function > SequenceNext {
		return c.bad("function is neither first nor next")
	}
	q.Table = c.tableName(c.scan.bytes(table))
	q.Key = c.scan.bytes(key)
	q.Value = c.scan.bytes(value)
	return nil
}

// wantFlags reads the flags. The name of the attribute that follows table
// tells the dialect.
func (c *ServerConn) wantFlags(q *Request) error {
	name, err := c.wantName(q, "")
	if err != nil {
		return err
	}
	switch string(c.scan.bytes(name)) {
	case attrInstanceFlags:
		c.setDialect(q, Dialect311)
	case attrFlags:
		c.setDialect(q, Dialect37)
	default:
		return c.unexpected(q, name, "")
	}
	if q.InstanceFlags, err = c.uintValue(q); err != nil {
		return err
	}
	q.Flags = q.InstanceFlags
	if q.Dialect == Dialect311 && q.Kind != Open {
		q.Flags, err = c.wantUint(q, attrFlags)
	}
	return err
}

func (c *ServerConn) setDialect(q *Request, d Dialect) {
	q.Dialect = d
	c.last = d
}

// want reads the attribute with the given name and returns its value.
func (c *ServerConn) want(q *Request, wanted string) (span, error) {
	name, err := c.wantName(q, wanted)
	if err != nil {
		return span{}, err
	}
	if string(c.scan.bytes(name)) != wanted {
		return span{}, c.unexpected(q, name, wanted)
	}
	value, err := c.scan.next(MaxValue)
	if err != nil {
		return span{}, c.broken(q, err, readingValue)
	}
	return value, nil
}

// wantName reads an attribute name where the list must not end yet.
func (c *ServerConn) wantName(q *Request, wanted string) (span, error) {
	name, err := c.scan.next(MaxName)
	if err != nil {
		return span{}, c.broken(q, err, readingName)
	}
	if name.start == name.end {
		return span{}, c.missing(q, wanted)
	}
	return name, nil
}

func (c *ServerConn) wantUint(q *Request, wanted string) (uint32, error) {
	value, err := c.want(q, wanted)
	if err != nil {
		return 0, err
	}
	return c.number(value)
}

func (c *ServerConn) uintValue(q *Request) (uint32, error) {
	value, err := c.scan.next(MaxValue)
	if err != nil {
		return 0, c.broken(q, err, readingValue)
	}
	return c.number(value)
}

func (c *ServerConn) number(value span) (uint32, error) {
	text := c.scan.bytes(value)
	n, ok := parseUint(text)
	if !ok {
		c.skipFrom(expectName)
		return 0, c.refuse(warningText("malformed numerical data from "+c.peer()+
			" while reading "+readingValue+": ", text[:min(len(text), 100)], ""))
	}
	return n, nil
}

// wantEnd reads the end of the list. More attributes are only warned about:
// the request is complete, and Postfix serves it.
func (c *ServerConn) wantEnd(q *Request) error {
	name, err := c.scan.next(MaxName)
	if err != nil {
		return c.broken(q, err, readingName)
	}
	if name.start != name.end {
		c.skipFrom(expectValue)
		c.opt.Warn(c.unexpectedText(name, "(list terminator)"))
	}
	return nil
}

// tableName returns the name as a string that outlives the buffer. A
// connection asks for the same few tables again and again.
func (c *ServerConn) tableName(p []byte) string {
	if s, ok := c.names[string(p)]; ok {
		return s
	}
	s := string(p)
	if len(s) <= maxNameLen {
		if c.names == nil || len(c.names) >= maxNames {
			c.names = make(map[string]string)
		}
		c.names[s] = s
	}
	return s
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded)
}
