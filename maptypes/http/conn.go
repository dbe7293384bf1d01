package http

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// conn is one connection to a server, which answers one request after the other
// (HTTP/1.1, RFC 9112). The pool is backend's.
type conn struct {
	raw   net.Conn
	limit io.LimitedReader // what one answer may have
	in    *bufio.Reader
	dead  bool
}

func newConn(raw net.Conn) *conn {
	c := &conn{raw: raw}
	c.limit.R = raw
	c.in = bufio.NewReaderSize(&c.limit, 4096)
	return c
}

// Alive reports whether the connection can be used. One that the server has
// closed meanwhile shows at the next request, which is sent again on a new one.
func (c *conn) Alive() bool { return !c.dead }

// Close ends the connection.
func (c *conn) Close() error { return c.raw.Close() }

// dial makes a connection to a server, with TLS unless config is nil.
func dial(ctx context.Context, network, address string, config *tls.Config) (*conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, maptypes.SystemError(err)
	}
	if config != nil {
		secure := tls.Client(raw, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, fmt.Errorf("TLS: %w", maptypes.SystemError(err))
		}
		raw = secure
	}
	return newConn(raw), nil
}

// maxHead is the limit, in bytes, of the head of an answer, with those of interim
// answers before it.
const maxHead = 64 << 10

// answer is what a server says.
type answer struct {
	status   int
	encoding string // of the body; empty for none
	body     []byte // of a successful request
}

// errTooLarge says that the body of an answer has more than body_size_limit
// bytes.
var errTooLarge = errors.New("the answer is too large (body_size_limit)")

// get sends a request and reads the answer. The body is read if the status is
// 200, and may have maxBody bytes. An error is made by backend.Lost, or is
// errTooLarge.
func (c *conn) get(ctx context.Context, request []byte, maxBody int64) (answer, error) {
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	a, again, err := c.exchange(request, maxBody)
	if !stop() || !again || err != nil {
		c.dead = true
	}
	if err != nil && err != errTooLarge {
		err = backend.Lost(reason(err))
	}
	return a, err
}

// exchange is get. It also reports whether the connection is good for another
// request.
func (c *conn) exchange(request []byte, maxBody int64) (a answer, again bool, err error) {
	c.limit.N = maxHead
	if _, err := c.raw.Write(request); err != nil {
		return a, false, err
	}
	response, err := c.readHead()
	if err != nil {
		return a, false, err
	}
	a.status, a.encoding = response.StatusCode, response.Header.Get("Content-Encoding")
	if a.status != nethttp.StatusOK {
		maxBody = maxHead // of no interest, but the next answer comes after it
	}
	c.limit.N += maxBody + maxHead // and what the encoding needs
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case int64(len(body)) > maxBody && a.status == nethttp.StatusOK:
		return a, false, errTooLarge
	case int64(len(body)) > maxBody:
		return a, false, nil
	case err != nil && a.status == nethttp.StatusOK:
		return a, false, err
	}
	a.body = body
	// What comes after an answer answers nothing.
	return a, err == nil && !response.Close && c.in.Buffered() == 0, nil
}

// readHead reads the head of the final answer.
func (c *conn) readHead() (*nethttp.Response, error) {
	for {
		response, err := nethttp.ReadResponse(c.in, nil)
		if err != nil {
			return nil, err
		}
		if code := response.StatusCode; code < 100 || code > 199 {
			return response, nil
		} else if code == nethttp.StatusSwitchingProtocols {
			return nil, errProtocol
		}
	}
}

var (
	errProtocol = errors.New("the server changes the protocol")
	errGone     = errors.New("the server has closed the connection")
)

// reason returns err with the text that the C library would have for it.
func reason(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return errGone
	}
	return maptypes.SystemError(err)
}
