package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/proxymapd/proxymapd/maptypes"
)

// conn is one connection to a database, for reading. It is used by one goroutine
// at a time.
type conn struct {
	tls    *libc.TLS
	db     uintptr // sqlite3*
	out    uintptr // room for a pointer that a function returns
	file   string  // the database's file; empty when there is none
	id     fileID  // of the file when it was opened
	broken bool    // by damage or an I/O error
}

// fileID tells a file from another one of the same name.
type fileID struct{ dev, ino uint64 }

func idOf(file string) (id fileID, err error) {
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		return fileID{}, err
	}
	return fileID{uint64(st.Dev), st.Ino}, nil
}

// maxLength is the limit, in bytes, of a statement, of a value and of a row.
const maxLength = 16 << 20

// openFlags are those of Postfix, and file: URIs, which Debian's library allows.
// Each connection has one user, and needs no lock of its own.
const openFlags = sqlite3.SQLITE_OPEN_READONLY | sqlite3.SQLITE_OPEN_URI | sqlite3.SQLITE_OPEN_NOMUTEX

// dial opens a database.
func dial(path string) (*conn, error) {
	// The file that is looked at first may have another one in its place by
	// the time it is opened. The connection is not Alive then.
	id, _ := idOf(path)
	c := &conn{tls: libc.NewTLS()}
	var err error
	if c.out = libc.Xcalloc(c.tls, 1, pointerSize); c.out == 0 {
		c.Close()
		return nil, errNoMemory
	}
	name, err := libc.CString(path)
	if err != nil {
		c.Close()
		return nil, errNoMemory
	}
	defer libc.Xfree(c.tls, name)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, name, c.out, openFlags, 0)
	c.db = c.returned()
	if rc != sqlite3.SQLITE_OK {
		defer c.Close()
		return nil, c.because()
	}
	sqlite3.Xsqlite3_limit(c.tls, c.db, sqlite3.SQLITE_LIMIT_LENGTH, maxLength)
	sqlite3.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	c.file, c.id = path, id
	if real := text(sqlite3.Xsqlite3_db_filename(c.tls, c.db, 0)); real == "" {
		c.file = ""
	} else if strings.HasPrefix(path, "file:") {
		c.file = real
		c.id, _ = idOf(real)
	}
	return c, nil
}

const pointerSize = libc.Tsize_t(unsafe.Sizeof(uintptr(0)))

var errNoMemory = errors.New("out of memory")

// Alive reports whether the file that was opened still has its name.
func (c *conn) Alive() bool {
	if c.broken || c.file == "" {
		return !c.broken
	}
	id, err := idOf(c.file)
	return err == nil && id == c.id
}

// Close closes the database.
func (c *conn) Close() error {
	if c.db != 0 {
		sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	}
	libc.Xfree(c.tls, c.out)
	c.tls.Close()
	return nil
}

// pointer makes an address in the library's memory, which is not Go's, usable.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// returned is the pointer that the last function has returned.
func (c *conn) returned() uintptr { return *(*uintptr)(pointer(c.out)) }

// text copies a C string.
func text(s uintptr) string { return libc.GoString(s) }

// failure is a statement that could not be performed.
type failure struct {
	step string // "prepare" or "step"
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// because returns what the library says about the last error, and what the
// system says when a file could not be opened.
func (c *conn) because() error {
	if c.db == 0 {
		return errNoMemory
	}
	message := text(sqlite3.Xsqlite3_errmsg(c.tls, c.db))
	errno := syscall.Errno(sqlite3.Xsqlite3_system_errno(c.tls, c.db))
	if sqlite3.Xsqlite3_extended_errcode(c.tls, c.db)&0xff == sqlite3.SQLITE_CANTOPEN && errno != 0 {
		return fmt.Errorf("%s: %w", message, maptypes.SystemError(errno))
	}
	return errors.New(message)
}

// busyPauses are how long a query waits before it is tried again when another
// program has the database locked. The last one is repeated.
var busyPauses = []time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
}

// query performs the first statement of a text and calls add for the first
// column of each row; NULL is nil. It waits for a locked database until ctx is
// done. An error of the library is a *failure.
func (c *conn) query(ctx context.Context, statement string, add func([]byte) error) error {
	source, err := libc.CString(statement)
	if err != nil {
		return &failure{"prepare", errNoMemory}
	}
	defer libc.Xfree(c.tls, source)
	defer c.interruptWith(ctx)()
	for try := 0; ; try++ {
		rows := 0
		rc, err := c.once(source, func(value []byte) error {
			rows++
			return add(value)
		})
		if !isBusy(rc) || rows > 0 {
			return c.judge(ctx, rc, err)
		}
		pause := time.NewTimer(busyPauses[min(try, len(busyPauses)-1)])
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return c.judge(ctx, rc, err)
		}
	}
}

// isBusy reports whether waiting may help.
func isBusy(rc int32) bool {
	code := rc & 0xff
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED || code == sqlite3.SQLITE_PROTOCOL
}

// judge makes the error of a query of its outcome.
func (c *conn) judge(ctx context.Context, rc int32, err error) error {
	failed, ok := err.(*failure)
	if !ok {
		return err
	}
	switch code := rc & 0xff; {
	case ctx.Err() == context.Canceled:
		return maptypes.ErrRetry // the requestor has gone
	case ctx.Err() != nil && (code == sqlite3.SQLITE_INTERRUPT || isBusy(rc)):
		failed.err = fmt.Errorf("%w (lookup_timeout)", failed.err)
	case code == sqlite3.SQLITE_IOERR, code == sqlite3.SQLITE_CORRUPT, code == sqlite3.SQLITE_NOTADB, code == sqlite3.SQLITE_NOMEM:
		c.broken = true
	case code == sqlite3.SQLITE_CANTOPEN, code == sqlite3.SQLITE_READONLY && failed.step == "prepare":
		failed.err = fmt.Errorf("%w (in WAL mode %s-wal and -shm must be readable, or the directory writable)", failed.err, c.file)
	}
	return failed
}

// interruptWith ends what the connection does as soon as ctx is done. The
// function that it returns waits until it has no more effect.
func (c *conn) interruptWith(ctx context.Context) (stop func()) {
	finished, done := make(chan struct{}), make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		tls := libc.NewTLS()
		defer tls.Close()
		// An interrupt that comes before the statement begins is lost.
		again := time.NewTicker(time.Millisecond)
		defer again.Stop()
		for {
			sqlite3.Xsqlite3_interrupt(tls, c.db)
			select {
			case <-again.C:
			case <-finished:
				return
			}
		}
	})
	return func() {
		close(finished)
		if !cancel() {
			<-done
		}
	}
}

// once performs a statement. The error is a *failure, with the library's code,
// or what add returned.
func (c *conn) once(source uintptr, add func([]byte) error) (rc int32, err error) {
	if rc = sqlite3.Xsqlite3_prepare_v2(c.tls, c.db, source, -1, c.out, 0); rc != sqlite3.SQLITE_OK {
		return rc, &failure{"prepare", c.because()}
	}
	statement := c.returned()
	if statement == 0 {
		return sqlite3.SQLITE_MISUSE, &failure{"step", errors.New("the query is empty")}
	}
	defer sqlite3.Xsqlite3_finalize(c.tls, statement)
	for {
		switch rc = sqlite3.Xsqlite3_step(c.tls, statement); rc {
		case sqlite3.SQLITE_ROW:
			if err := add(c.column(statement)); err != nil {
				return sqlite3.SQLITE_OK, err
			}
		case sqlite3.SQLITE_DONE:
			return sqlite3.SQLITE_OK, nil
		default:
			return rc, &failure{"step", c.because()}
		}
	}
}

// column returns the text of the first column, which is valid until the next
// row, or nil for NULL.
func (c *conn) column(statement uintptr) []byte {
	value := sqlite3.Xsqlite3_column_text(c.tls, statement, 0)
	if value == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(value)), sqlite3.Xsqlite3_column_bytes(c.tls, statement, 0))
}
