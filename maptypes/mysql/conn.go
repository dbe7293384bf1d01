package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// conn is one connection to a server.
type conn struct {
	raw                rawConn
	wire               *wire      // nil with TLS, whose content only the library sees
	charset            *multibyte // nil when all bytes of special characters are special
	noBackslashEscapes bool       // the SQL mode of that name is on
}

// rawConn is what the library's connection can do.
type rawConn interface {
	driver.QueryerContext
	driver.SessionResetter
	io.Closer
}

// Alive reports whether the server has not closed the connection.
func (c *conn) Alive() bool {
	if c.wire != nil {
		return c.wire.alive()
	}
	return c.raw.ResetSession(context.Background()) == nil
}

// Room is that of backend.Sharer.
func (c *conn) Room() bool { return c.wire != nil && c.wire.room() }

var _ backend.Sharer = (*conn)(nil)

// Close ends the connection. The server is told, unless it is at work.
func (c *conn) Close() error {
	if c.wire != nil && c.wire.busy() {
		c.wire.fail(errLost)
	}
	err := c.raw.Close()
	if c.wire != nil {
		c.wire.fail(errLost)
	}
	return err
}

// dial makes a connection that is ready for queries.
func dial(ctx context.Context, s *settings, config *mysqldriver.Config) (*conn, error) {
	var login *tap
	if config.TLS == nil {
		config = config.Clone()
		config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			var dialer net.Dialer // keeps TCP connections alive
			plain, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			login = &tap{Conn: plain}
			return login, nil
		}
	}
	connector, err := connectorFor(config)
	if err != nil {
		return nil, err
	}
	raw, err := connector.Connect(ctx)
	if err != nil {
		return nil, dialFailed(err)
	}
	c := &conn{raw: raw.(rawConn), charset: multibytes[strings.ToLower(s.charset)]}
	if err := c.prepare(ctx, s.charset); err != nil {
		c.Close()
		return nil, err
	}
	if login != nil {
		// The deadlines are those of the login.
		if err := login.Conn.SetDeadline(time.Time{}); err != nil {
			c.Close()
			return nil, maptypes.SystemError(err)
		}
		c.wire = newWire(login.Conn, login.eof, s.pipeline)
	}
	return c, nil
}

// prepare sets the character set, and finds out how to quote.
func (c *conn) prepare(ctx context.Context, charset string) error {
	ignore := func([]byte) error { return nil }
	if _, err := c.query(ctx, []byte("SET NAMES "+charset), ignore); err != nil {
		return fmt.Errorf("dict_mysql: mysql_set_character_set '%s' failed: %w", charset, dialFailed(err))
	}
	_, err := c.query(ctx, []byte("SELECT @@SESSION.sql_mode"), func(mode []byte) error {
		c.noBackslashEscapes = strings.Contains(string(mode), "NO_BACKSLASH_ESCAPES")
		return nil
	})
	if err != nil {
		return dialFailed(err)
	}
	return nil
}

// errMultiple is the error of a query that returned more than one result set.
var errMultiple = errors.New("multiple result sets")

// query performs a statement and calls add for each column of each row; NULL is
// nil. The rest of the result is not read when add returns an error. got reports
// whether there was a result set. The connection is of further use unless the
// error was made by backend.Lost.
func (c *conn) query(ctx context.Context, statement []byte, add func([]byte) error) (got bool, err error) {
	if c.wire != nil {
		return c.wire.query(ctx, statement, add)
	}
	rows, err := c.raw.QueryContext(ctx, string(statement), nil)
	if err != nil {
		return false, lostUnlessServer(err)
	}
	columns := newColumns(rows)
	err = columns.each(add)
	if more, ok := rows.(driver.RowsNextResultSet); ok && err == nil && more.HasNextResultSet() {
		// The status of a procedure call comes last, and is no result set.
		if err = more.NextResultSet(); err == nil {
			err = errMultiple
		} else if err == io.EOF {
			err = nil
		} else if isServerError(err) && !shutsDown(err) {
			err = &laterError{err}
		}
	}
	// Closing reads what is left, so that the connection can be used again.
	if closed := rows.Close(); closed != nil && !isServerError(closed) {
		return false, backend.Lost(reason(closed))
	} else if err == nil {
		err = closed
	}
	if err != nil {
		return false, lostUnlessServer(err)
	}
	return columns.count > 0, nil
}

// laterError is the server's error in a procedure that has returned a result set
// already.
type laterError struct{ err error }

func (e *laterError) Error() string { return e.err.Error() }
func (e *laterError) Unwrap() error { return e.err }

// isServerError reports whether err is the server's answer, after which the
// connection can be used.
func isServerError(err error) bool {
	var e *mysqldriver.MySQLError
	return errors.As(err, &e)
}

// lostUnlessServer marks the loss of the connection.
func lostUnlessServer(err error) error {
	switch {
	case shutsDown(err):
		return backend.Lost(reason(err))
	case err == errMultiple, err == errLongStatement, isServerError(err), errors.Is(err, maptypes.ErrRetry):
		return err
	}
	return backend.Lost(reason(err))
}

// Errors of the server that are about the connection, or about the whole
// server, and not about a statement (mariadb.com/kb: error codes).
const (
	errConCount          = 1040 // too many connections
	errServerShutdown    = 1053
	errNewAborting       = 1152
	errTooManyUserConns  = 1203
	errUserLimitReached  = 1226
	errConnectionKilled  = 1927 // MariaDB
	errServerInOffline   = 3032 // MySQL
	errClientInteraction = 4031 // MySQL: idle for too long
)

func number(err error) uint16 {
	var e *mysqldriver.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// shutsDown reports whether the server answers no more on this connection.
func shutsDown(err error) bool {
	switch number(err) {
	case errServerShutdown, errNewAborting, errConnectionKilled, errServerInOffline, errClientInteraction:
		return true
	}
	return false
}

// dialFailed is the error of an attempt to connect.
func dialFailed(err error) error {
	switch number(err) {
	case errConCount, errTooManyUserConns, errUserLimitReached:
		return &fullError{err}
	}
	return reason(err)
}

// fullError is the server's refusal of one more connection.
type fullError struct{ err error }

func (e *fullError) Error() string   { return message(e.err) }
func (e *fullError) Unwrap() []error { return []error{backend.ErrFull, e.err} }

// reason returns err with the text that the C library would have for it.
func reason(err error) error {
	switch {
	case isServerError(err):
		return &serverError{err}
	case errors.Is(err, mysqldriver.ErrInvalidConn), errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF):
		return errLost
	case errors.Is(err, mysqldriver.ErrNoTLS):
		return errNoTLS
	}
	return maptypes.SystemError(err)
}

// clientError is an error in the words of the C library.
type clientError string

func (e clientError) Error() string { return string(e) }

const (
	errLost  clientError = "Lost connection to server during query"
	errNoTLS clientError = "SSL is required, but the server does not support it"
)

type serverError struct{ err error }

func (e *serverError) Error() string { return message(e.err) }
func (e *serverError) Unwrap() error { return e.err }

// message returns the server's words without the error number.
func message(err error) string {
	var e *mysqldriver.MySQLError
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
