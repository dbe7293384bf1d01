package indexed

import (
	"os"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// sourceGrace is how long a source may be newer than the index made from it
// without a warning: somebody may be about to run postmap.
const sourceGrace = 100 * time.Second

// WarnIfStale warns if the text file source, from which the index file was made,
// has changed since. Times count in seconds, as in Postfix.
func WarnIfStale(env *maptypes.Env, index string, file os.FileInfo, source string) {
	info, err := os.Stat(source)
	if err != nil {
		return
	}
	changed := info.ModTime().Unix()
	if changed > file.ModTime().Unix() && changed < time.Now().Add(-sourceGrace).Unix() {
		env.Warnf("database %s is older than source file %s", index, source)
	}
}

// OpenError returns err as the reason why the database at path cannot be opened.
// The class is left open: a file may turn up.
func OpenError(path string, err error) error {
	return &openError{path: path, err: maptypes.SystemError(err)}
}

// openError is Postfix's text for a database that cannot be opened.
type openError struct {
	path string
	err  error
}

func (e *openError) Error() string { return "open database " + e.path + ": " + e.err.Error() }
func (e *openError) Unwrap() error { return e.err }
