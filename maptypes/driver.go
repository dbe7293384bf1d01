package maptypes

import (
	"context"
	"runtime/debug"
	"time"
)

// Driver implements one map type.
type Driver struct {
	// Type is the name before the colon, as `postconf -m` prints it.
	Type string

	// Open opens the table called name (the text after "type:"). The error
	// text stands alone in a log line, and names the table or file. An error
	// of no class means that opening may work later; when only a change of
	// files can make it work, Opened is returned too, with nothing but Watch.
	Open func(env *Env, name string, mode Mode, flags Flags) (*Opened, error)

	// Create begins to build the table anew from a source, as postmap(1)
	// does; nil when tables of this type cannot be built.
	Create func(env *Env, name string, flags Flags) (Builder, error)

	// LeftOut is set instead of Open and Create in the stand-in for a type
	// that was left out of this build. It says what to do about that, and
	// ends the line "unsupported dictionary type: lmdb: ...".
	LeftOut string
}

// Opened is what a driver's Open returns.
type Opened struct {
	Table Table

	// Flags are those of the new instance: the caller's, plus FlagFixed or
	// FlagPattern, plus what else the driver sets (FlagTry0Null, ...).
	Flags Flags

	// Fold is the flag that makes this driver fold keys to lower case
	// outside UTF-8 mode: FlagFoldFix, FlagFoldMul, or none. The layer in
	// front of the driver does the folding.
	Fold Flags

	// Label is what log lines call the table, when it is not "type:name"
	// (Postfix's indexed files say the name with its suffix).
	Label string

	// Watch names the files that the table was read from. When one of them
	// changes the table is opened anew, and the old one serves until then.
	Watch []string

	// WatchReplaced limits Watch to replacement (another device or inode):
	// for tables that see changes inside the file by themselves.
	WatchReplaced bool
}

// Builder receives the entries of a table that is built anew. What it wrote
// becomes visible in one step at Commit; without it the old table stays.
type Builder interface {
	// Add stores r.Value under r.Key. Duplicate keys as in Updater.Update.
	Add(ctx context.Context, r *Request) error
	// Commit makes the table durable and visible.
	Commit() error
	// Abort leaves everything as it was. After Commit it does nothing.
	Abort()
}

// Env is what a driver may know of the world around it.
type Env struct {
	// Registry resolves the types of nested tables.
	Registry *Registry

	// Param returns the expanded value of a main.cf parameter, and false
	// when there is no such parameter.
	Param func(name string) (string, bool)

	// Infof logs one line for information.
	Infof func(format string, args ...any)

	// Warnf logs one line at level "warning".
	Warnf func(format string, args ...any)

	// Errorf logs one line at level "error".
	Errorf func(format string, args ...any)

	// UTF8 is smtputf8_enable: FlagUTF8Request is honoured.
	UTF8 bool

	// Daemon is set in a long-running server. A table that cannot be opened
	// is then replaced by one that answers ErrRetry until it can be, and a
	// table whose file changes is opened anew.
	Daemon bool

	// LookInterval is how long the files of a table count as unchanged after a
	// look, so that many requests share one system call. Zero: no time. Our
	// own updates are seen at once in any case.
	LookInterval time.Duration

	// Cache, unless it is nil, is shown each table that is opened for reading
	// only, also one nested in another. It returns a table that keeps answers
	// of t for a while, with s to tell for how long at most, or nil. The
	// returned table closes t. Keys have been checked and folded before.
	Cache func(env *Env, spec string, t Table, s *State) Table

	depth  int     // of tables that are nested in each other
	nested *nested // collects the tables that a table opens
}

// maxNesting is how deep tables may be nested in each other: a name that says
// more is no honest configuration, and costs a goroutine's stack.
const maxNesting = 32

// Open opens the nested table "type:name" in the same environment.
func (e *Env) Open(spec string, mode Mode, flags Flags) (*Handle, error) {
	if e.depth >= maxNesting {
		return nil, Configf("tables are nested more than %d deep", maxNesting)
	}
	inner := *e
	inner.depth++
	h, err := e.Registry.Open(&inner, spec, mode, flags)
	if err == nil && e.nested != nil {
		e.nested.add(h)
	}
	return h, err
}

// Contain, when deferred, turns a driver's panic into an ErrConfig for this one
// request, and logs the stack. The label is what log lines call the table.
func (e *Env) Contain(label, operation string, err *error) {
	if p := recover(); p != nil {
		e.Errorf("table %s: %s: panic: %v", label, operation, p)
		e.Errorf("table %s: stack: %s", label, debug.Stack())
		*err = Configf("table %s: %s: internal error: %v", label, operation, p)
	}
}
