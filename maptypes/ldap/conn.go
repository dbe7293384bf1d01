package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	client "github.com/go-ldap/ldap/v3"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// maxAnswer is the limit, in bytes, of what a server may send during one lookup.
const maxAnswer = 16 << 20

// maxNesting is the limit of values in values in a message. The protocol needs
// seven, and the library keeps a copy of the message for each.
const maxNesting = 16

func init() {
	// Without these the library takes two gigabytes, a thousand deep.
	ber.MaxPacketLengthBytes = maxAnswer
	ber.MaxNestingDepth = maxNesting
}

// goodbye is how long the end of a connection may take.
const goodbye = time.Second

// conn is one connection to a server, with the table's identity.
type conn struct {
	raw  *rawConn
	ldap *client.Conn
}

// rawConn is the network connection below the library: it bounds what is read,
// and can be cut off by another goroutine at any time.
type rawConn struct {
	net.Conn
	left  atomic.Int64 // bytes that may still be read
	isCut atomic.Bool
}

func newRawConn(c net.Conn) *rawConn {
	raw := &rawConn{Conn: c}
	raw.left.Store(maxAnswer)
	return raw
}

// errTooMuch says that a server sent more than maxAnswer bytes.
var errTooMuch = fmt.Errorf("answer of more than %d bytes", maxAnswer)

func (raw *rawConn) Read(p []byte) (int, error) {
	n, err := raw.Conn.Read(p)
	if raw.left.Add(int64(-n)) < 0 {
		return 0, errTooMuch
	}
	return n, err
}

// cut ends the connection without a good-bye. Whoever uses it gets an error.
func (raw *rawConn) cut() {
	raw.isCut.Store(true)
	raw.Conn.Close()
}

// Alive reports whether the connection can be used. The library reads all the
// time, and so notices when the server hangs up.
func (c *conn) Alive() bool { return !c.raw.isCut.Load() && !c.ldap.IsClosing() }

// Close ends the connection. The server is told, unless it does not listen.
func (c *conn) Close() error {
	if err := c.raw.SetDeadline(time.Now().Add(goodbye)); err == nil && c.Alive() {
		_ = c.ldap.Unbind() // fails only when the connection is lost
	}
	c.raw.cut()
	return c.ldap.Close()
}

// during calls f, which uses the connection for one lookup. When ctx is done
// before f returns, the connection is cut off, and lost.
func (c *conn) during(ctx context.Context, f func() error) error {
	c.raw.left.Store(maxAnswer)
	stop := context.AfterFunc(ctx, c.raw.cut)
	err := f()
	if !stop() {
		return backend.Lost(context.Cause(ctx))
	}
	return err
}

// dial makes a connection to the server of a URL.
func (a *access) dial(ctx context.Context, u ldapURL, who identity) (*conn, error) {
	network, address := u.dialAddress()
	var dialer net.Dialer
	plain, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, maptypes.SystemError(err)
	}
	c := &conn{raw: newRawConn(plain)}
	stop := context.AfterFunc(ctx, c.raw.cut)
	defer stop()
	if err := c.secure(ctx, a, u); err != nil {
		c.raw.cut()
		if c.ldap != nil {
			c.ldap.Close()
		}
		return nil, err
	}
	if err := c.bind(u, who); err != nil {
		c.Close()
		return nil, fmt.Errorf("dict_ldap_connect: Unable to bind to server %s with dn %s: %w", u.text, who.label(), err)
	}
	return c, nil
}

// secure starts the protocol, with TLS when the URL or the table asks for it.
func (c *conn) secure(ctx context.Context, a *access, u ldapURL) error {
	if u.scheme == schemeTLS {
		encrypted := tls.Client(c.raw, a.security.config(u.serverName()))
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS handshake: %w", maptypes.SystemError(err))
		}
		c.ldap = client.NewConn(encrypted, true)
		c.ldap.Start()
		return nil
	}
	c.ldap = client.NewConn(c.raw, false)
	c.ldap.Start()
	if !a.startTLS {
		return nil
	}
	if err := c.ldap.StartTLS(a.security.config(u.serverName())); err != nil {
		return fmt.Errorf("dict_ldap_connect: Unable to set STARTTLS: %w", reason(err))
	}
	return nil
}

// bind tells the server who is asking.
func (c *conn) bind(u ldapURL, who identity) (err error) {
	switch who.kind {
	case bindNone:
		return nil
	case bindSimple:
		_, err = c.ldap.SimpleBind(&client.SimpleBindRequest{Username: who.dn, Password: who.password, AllowEmptyPassword: true})
	case bindExternal:
		strength := 0
		if state, ok := c.ldap.TLSConnectionState(); ok {
			strength = ssf(state)
		}
		if strength < who.leastSSF && u.scheme != schemeUnix { // nobody is on a UNIX socket but the two
			return fmt.Errorf("strength %d of the connection < sasl_minssf %d", strength, who.leastSSF)
		}
		err = c.ldap.ExternalBind()
	}
	var answer *resultError
	if err = reason(err); errors.As(err, &answer) {
		return fmt.Errorf("%d (%s)%s", answer.code, resultText(answer.code), answer.detail())
	}
	return err
}
