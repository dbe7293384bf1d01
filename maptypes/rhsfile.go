package maptypes

import (
	"encoding/base64"
	"fmt"
	"os"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// maxRHSFile is the limit in bytes of the files that one value names.
const maxRHSFile = 64 << 20

// ReadRHS returns what a table opened with FlagSrcRHSIsFile stores in the place
// of a value (postmap(1) -F): the base64 form of the contents of the files that
// the value names, separated by comma or white space in the value and joined by
// a newline in the result. It also returns the names, for Opened.Watch.
func ReadRHS(value string) (encoded string, paths []string, err error) {
	paths = textfile.SplitList(value)
	if len(paths) == 0 {
		return "", nil, fmt.Errorf("empty pathname list: >>%s<<'", value)
	}
	var content []byte
	for i, path := range paths {
		if i > 0 {
			content = append(content, '\n')
		}
		content, err = appendFile(content, path)
		if err != nil {
			return "", paths, err
		}
		if len(content) > maxRHSFile {
			return "", paths, fmt.Errorf("file too large: %s", value)
		}
	}
	return base64.StdEncoding.EncodeToString(content), paths, nil
}

// appendFile appends the contents of a file, of which no more than the size at
// the start is read.
func appendFile(content []byte, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, SystemError(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, SystemError(err))
	}
	if info.Size() > maxRHSFile {
		return nil, fmt.Errorf("file too large: %s", path)
	}
	buf := make([]byte, info.Size())
	for n := 0; n < len(buf); {
		m, err := f.Read(buf[n:])
		if n += m; err != nil && n < len(buf) {
			return nil, fmt.Errorf("read %s: %w", path, SystemError(err))
		}
	}
	return append(content, buf...), nil
}
