package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Somebody who writes a configuration file in place leaves it empty, or without the end of its last line, for a moment.
// Such a file is not believed before it has been left alone for the time coolAfter.
const (
	coolAfter = time.Second
	coolPause = 100 * time.Millisecond
)

// ReadFile reads a configuration file, again if it changes meanwhile or seems to be half written (load_file(3) has the
// like, for all files). The error is an *Error.
func ReadFile(path string) (string, error) {
	for try := 1; ; try++ {
		text, info, err := readOnce(path)
		switch {
		case err == nil && info != nil && isWhole(text, info), err == nil && info == nil && try == 10:
			return text, nil
		case err != nil:
			return "", &Error{File: path, Err: err, text: errnoText(err)}
		case info != nil:
			time.Sleep(coolPause)
		}
	}
}

// isWhole says whether nobody seems to be in the middle of writing. A file from the future has no age.
func isWhole(text string, info fs.FileInfo) bool {
	age := time.Since(info.ModTime())
	return strings.HasSuffix(text, "\n") || age < 0 || age > coolAfter
}

// readOnce reads a file. No information is returned about one that has changed while it was read.
func readOnce(path string) (text string, info fs.FileInfo, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return "", nil, err
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) {
		return string(data), nil, nil
	}
	return string(data), after, nil
}

// ReadSettings reads a file of name = value lines, such as main.cf or the configuration of a database client, and calls
// set for each in the order of the file. Warn gets messages about odd lines. The error is an *Error.
func ReadSettings(path string, warn func(string), set func(name, value string, line int)) error {
	text, err := ReadFile(path)
	if err != nil {
		return err
	}
	return parseSettings(path, text, warn, set)
}

func parseSettings(path, text string, warn func(string), set func(name, value string, line int)) error {
	r := textfile.NewReader(strings.NewReader(text), path)
	r.Warn = warn
	for {
		line, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &Error{File: path, Err: err, text: err.Error()}
		}
		name, value, err := SplitNameValue(line.CString())
		if err != nil {
			return &Error{
				File: path, Line: line.Number, Value: line.CString(), Err: err,
				text: visible(fmt.Sprintf("%s, line %d: %v: \"%s\"", path, line.Number, err, line.CString())),
			}
		}
		set(name, value, line.Number)
	}
}

// visible replaces control characters as Postfix does in messages.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// errnoText formats the error of a file operation as Postfix does: the system's message starts with a capital.
func errnoText(err error) string {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return err.Error()
	}
	reason := path.Err.Error()
	return path.Op + " " + path.Path + ": " + strings.ToUpper(reason[:1]) + reason[1:]
}
