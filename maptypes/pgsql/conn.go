package pgsql

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// conn is one connection to a server.
type conn struct {
	raw  *pgconn.PgConn
	host string // as in log lines
}

// maxMessage is the limit, in bytes, of what a server sends in one piece: a row.
const maxMessage = 4 << 20

// dial makes a connection.
func dial(ctx context.Context, s *server) (*conn, error) {
	// The settings are parsed anew because they may name files.
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	raw, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, dialFailed(err, s.encoding)
	}
	return &conn{raw: raw, host: s.name}, nil
}

// Alive reports whether the connection can be used: the server has neither sent
// anything nor closed it, and no transaction is left open.
func (c *conn) Alive() bool {
	return !c.raw.IsClosed() && c.raw.TxStatus() == 'I' && c.raw.Frontend().ReadBufferLen() == 0 && backend.Silent(c.raw.Conn())
}

// Close ends the connection, and waits for a query in progress to be cancelled.
func (c *conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := c.raw.Close(ctx)
	<-c.raw.CleanupDone()
	return err
}

// encoding is what the server takes a statement's text to be in.
func (c *conn) encoding() encoding { return encoding(c.raw.ParameterStatus("client_encoding")) }

// standardStrings reports whether a backslash in 'text' is a character like
// others. A server that does not say so may see an escape in it.
func (c *conn) standardStrings() bool {
	return c.raw.ParameterStatus("standard_conforming_strings") == "on"
}

// refusal is the server's error about a statement, after which the connection
// can be used.
type refusal struct{ text string }

func (e *refusal) Error() string { return e.text }

// values are those of a result, row by row.
type values struct {
	text []byte // one after the other
	ends []int  // where in text each of them ends
}

// all returns the values. NULL is an empty one: PQgetvalue(3) makes no
// difference.
func (v *values) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		start := 0
		for _, end := range v.ends {
			if !yield(v.text[start:end]) {
				return
			}
			start = end
		}
	}
}

// add takes in a row, unless there is too much already.
func (v *values) add(row [][]byte) {
	for _, value := range row {
		if v.tooMuch() {
			return
		}
		v.text = append(v.text, value...)
		v.ends = append(v.ends, len(v.text))
	}
}

// tooMuch reports whether the result has grown beyond all limits.
func (v *values) tooMuch() bool { return len(v.text)+len(v.ends) > maxMessage }

// query performs statements and returns the values of the last one, as PQexec(3)
// does. The connection is of further use unless the error was made by
// backend.Lost.
func (c *conn) query(ctx context.Context, text string) (*values, error) {
	results := c.raw.Exec(ctx, text)
	result, answered := &values{text: []byte{}}, false
	for results.NextResult() {
		rows := results.ResultReader()
		result.text, result.ends = result.text[:0], result.ends[:0]
		for rows.NextRow() {
			result.add(rows.Values())
		}
		if tag, _ := rows.Close(); tag.String() != "" {
			answered = true
		}
	}
	switch err := results.Close(); {
	case err != nil:
		return nil, c.failed(ctx, err)
	case !answered:
		return nil, &refusal{"the query is empty"}
	case result.tooMuch():
		return nil, &refusal{fmt.Sprintf("the result has more than %d bytes", maxMessage)}
	}
	return result, nil
}

// failed sorts out the errors of a query.
func (c *conn) failed(ctx context.Context, err error) error {
	var refused *pgconn.PgError
	var large *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &large):
		return &refusal{fmt.Sprintf("a row has more than %d bytes", maxMessage)}
	case errors.As(err, &refused) && !c.raw.IsClosed():
		return &refusal{message(refused)}
	case refused != nil:
		return backend.Lost(errors.New(message(refused)))
	case ctx.Err() != nil:
		return backend.Lost(ctx.Err())
	}
	return backend.Lost(maptypes.SystemError(err))
}
