package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// ReadFile reads a configuration file, again if it changes meanwhile. The error is an *Error.
func ReadFile(path string) (string, error) {
	for try := 1; ; try++ {
		text, stable, err := readOnce(path)
		if err != nil {
			return "", &Error{File: path, Err: err, text: errnoText(err)}
		}
		if stable || try == 10 {
			return text, nil
		}
	}
}

func readOnce(path string) (text string, stable bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return "", false, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return "", false, err
	}
	after, err := os.Stat(path)
	same := err == nil && os.SameFile(before, after) && before.Size() == after.Size() &&
		before.ModTime().Equal(after.ModTime())
	return string(data), same, nil
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
