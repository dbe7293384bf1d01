package texthash

import (
	"bytes"
	"os"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// explain records the lines that have the key, by reading the file once more.
func (t *table) explain(r *maptypes.Request) {
	f, err := os.Open(t.path)
	if err != nil {
		return // the entry is in memory, and where it was is not known
	}
	defer f.Close()
	lines := textfile.NewReader(f, t.path)
	found := 0
	for {
		line, err := lines.Next()
		if err != nil {
			return
		}
		text, _, err := textfile.SplitEntry(line.CString())
		if err != nil {
			continue
		}
		key := []byte(text)
		if t.flags&maptypes.FlagFoldFix != 0 {
			key = maptypes.AppendLower(key[:0], key)
		}
		if !bytes.Equal(key, r.Key) {
			continue
		}
		if found++; found == 1 {
			r.Trace.Step("the entry is at %s:%d", t.path, line.Number)
			continue
		}
		result := "ignored"
		if t.flags&maptypes.FlagDupReplace != 0 {
			result = "replaces the one before"
		}
		r.Trace.Result(result, "another entry is at %s:%d", t.path, line.Number)
	}
}
