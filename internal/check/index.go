package check

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// indexSuffix is what the file of a type that is made from a source has behind the source's name.
var indexSuffix = map[string]string{"bolt": ".bolt", "btree": ".db", "cdb": ".cdb", "hash": ".db", "lmdb": ".lmdb"}

// file returns the path of the table's file, "" if it has none.
func (t *trial) file() string {
	if suffix := indexSuffix[t.typ]; suffix != "" {
		return t.name + suffix
	}
	if strings.HasPrefix(t.name, "/") {
		return t.name
	}
	return ""
}

// checkIndex compares an index file with its source, and looks for mistakes in the source. It reports whether the index
// does not exist.
func (t *trial) checkIndex() (missing bool) {
	if indexSuffix[t.typ] == "" {
		return false
	}
	index, err := os.Stat(t.file())
	missing = os.IsNotExist(err)
	if t.Write {
		return missing
	}
	source, err := os.Stat(t.name)
	if err != nil || !source.Mode().IsRegular() {
		return missing
	}
	// Seconds, because that is what Postfix compares.
	if index != nil && source.ModTime().Unix() > index.ModTime().Unix() {
		t.find(newFinding(kindStale, fmt.Sprintf("database %s is older than source file %s%s", t.file(), t.name, t.rebuild())))
	}
	if !t.Alias {
		t.checkSource()
	}
	return missing
}

// maxMistakes is how many mistakes of one source are told.
const maxMistakes = 5

// checkSource looks for lines that postmap would leave out.
func (t *trial) checkSource() {
	f, err := os.Open(t.name)
	if err != nil {
		return // nobody but the administrator needs to read it
	}
	defer f.Close()
	mistakes := 0
	mistake := func(line int, text string) {
		if mistakes++; mistakes <= maxMistakes {
			t.find(newFinding(kindSyntax, fmt.Sprintf("%s, line %d: %s", t.name, line, text)))
		}
	}
	lines := textfile.NewReader(bufio.NewReader(f), t.name)
	lines.Warn = func(message string) { t.find(newFinding(kindSyntax, message)) }
	for {
		line, err := lines.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.find(newFinding(kindSyntax, err.Error()))
			}
			break
		}
		t.checkEntry(line, mistake)
	}
	if mistakes > maxMistakes {
		t.find(newFinding(kindSyntax, fmt.Sprintf("%s: %d more lines like these", t.name, mistakes-maxMistakes)))
	}
}

// checkEntry looks for a mistake in one line. What the line says is not told: it may be a password.
func (t *trial) checkEntry(line textfile.Line, mistake func(int, string)) {
	key, value, err := textfile.SplitEntry(line.CString())
	switch {
	case errors.Is(err, textfile.ErrNoValue):
		mistake(line.Number, err.Error())
		return
	case err != nil:
		mistake(line.Number, `unbalanced '"'`)
		return
	}
	if strings.HasSuffix(key, ":") {
		mistake(line.Number, "record is in \"key: value\" format; is this an alias file?")
	}
	if t.Files {
		if _, _, err := maptypes.ReadRHS(value); err != nil {
			mistake(line.Number, err.Error())
		}
	}
}
