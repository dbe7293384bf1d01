package pgsql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// closeTimeout limits a good-bye to a server that does not listen.
const closeTimeout = time.Second

// Codes of the server's errors (postgresql.org, "PostgreSQL Error Codes").
const (
	codeTooManyConnections = "53300"
	codeInvalidValue       = "22023"
)

// message returns an error of the server as libpq does, on one line.
func message(err *pgconn.PgError) string { return err.Severity + ":  " + err.Message }

// dialFailed is the error of an attempt to connect.
func dialFailed(err error, encoding string) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch {
		case refused.Code == codeTooManyConnections:
			return &fullError{message(refused)}
		case refused.Code == codeInvalidValue && strings.Contains(refused.Message, "client_encoding"):
			return fmt.Errorf("dict_pgsql: cannot set the encoding to %s", encoding)
		}
	}
	var reasons []string
	for _, cause := range causes(err) {
		if text := reason(cause); !slices.Contains(reasons, text) {
			reasons = append(reasons, text)
		}
	}
	// With "sslmode = prefer" that is no error.
	if other := slices.DeleteFunc(slices.Clone(reasons), isNoTLS); len(other) > 0 {
		reasons = other
	}
	return errors.New(strings.Join(reasons, "; "))
}

// noTLS is what libpq says about a server without TLS, and refusedTLS what the
// library says.
const (
	noTLS      = "server does not support SSL, but SSL was required"
	refusedTLS = "tls error: server refused TLS connection"
)

func isNoTLS(text string) bool { return strings.HasSuffix(text, noTLS) }

// fullError is the server's refusal of one more connection.
type fullError struct{ text string }

func (e *fullError) Error() string { return e.text }
func (e *fullError) Unwrap() error { return backend.ErrFull }

// causes returns the errors of all attempts that a connection took: the server's
// addresses, with TLS and without.
func causes(err error) []error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if list, ok := e.(interface{ Unwrap() []error }); ok {
			return list.Unwrap()
		}
	}
	return []error{err}
}

// attempt is how the library begins the error of one attempt: the address, and
// the host that has it.
var attempt = regexp.MustCompile(`^(\S+) \((\S*)\): `)

// reason returns the error of one attempt in libpq's words.
func reason(err error) string {
	where := ""
	if found := attempt.FindStringSubmatch(err.Error()); found != nil {
		where = place(found[1], found[2]) + " failed: "
	}
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return where + message(refused)
	case errors.Is(err, context.DeadlineExceeded):
		return where + "timeout expired"
	}
	text := maptypes.SystemError(err).Error()
	if text = attempt.ReplaceAllString(text, ""); text == refusedTLS {
		text = noTLS
	}
	return where + strings.ReplaceAll(text, "\n", " ")
}

func place(address, host string) string {
	if strings.HasPrefix(host, "/") {
		return fmt.Sprintf("connection to server on socket %q", address)
	}
	ip, port, err := net.SplitHostPort(address)
	if err != nil {
		ip = address
	}
	if ip == host {
		return fmt.Sprintf("connection to server at %q, port %s", host, port)
	}
	return fmt.Sprintf("connection to server at %q (%s), port %s", host, ip, port)
}
