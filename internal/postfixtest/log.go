package postfixtest

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// Log returns the text of maillog_file; it is empty when nothing has been logged.
func (i *Instance) Log() string {
	text, err := os.ReadFile(i.LogFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		i.t.Fatal(err)
	}
	return string(text)
}

// WaitLog waits until the log has a match of the regular expression, fails the test when none comes, and returns the
// first line that matches. A dot does not match a line's end.
func (i *Instance) WaitLog(expr string) string {
	i.t.Helper()
	pattern := regexp.MustCompile(expr)
	var found string
	i.wait("log line "+expr, func() error {
		for line := range strings.Lines(i.Log()) {
			if pattern.MatchString(line) {
				found = strings.TrimSuffix(line, "\n")
				return nil
			}
		}
		return errWait
	})
	return found
}

var troubleLine = regexp.MustCompile(`(?m)^.*(?:warning|error|fatal|panic): .*$`)

// Trouble returns the lines of the log that are warnings or worse.
func (i *Instance) Trouble() []string {
	return troubleLine.FindAllString(i.Log(), -1)
}
