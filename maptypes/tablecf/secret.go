package tablecf

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
)

// maxSecret is the limit, in bytes, of a file that holds a secret.
const maxSecret = 64 << 10

// environmentName is how a secret names a variable of the environment.
var environmentName = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$`)

// Secret is SecretIn with the file that the parameter password_file names.
func (s *Settings) Secret(name string) (text string, ok bool) {
	return s.SecretIn(name, "password_file")
}

// SecretIn returns a text that no message may show, and whether there is one:
// that of the parameter called name or, when that is "${env:NAME}" and nothing
// else, of a variable of the environment, or else the first line of the file
// that the parameter called fileName names.
func (s *Settings) SecretIn(name, fileName string) (text string, ok bool) {
	text, ok = s.Lookup(name)
	path := s.String(fileName, "")
	if m := environmentName.FindStringSubmatch(text); m != nil {
		if text, ok = os.LookupEnv(m[1]); !ok {
			s.fail("%s: no environment variable %s", s.full(name), m[1])
		}
		return text, ok
	}
	if text != "" || path == "" {
		return text, ok
	}
	s.files = append(s.files, path)
	text, err := readSecret(path)
	if err != nil {
		s.fail("open %s %s: %v", s.full(fileName), path, maptypes.SystemError(err))
		return "", false
	}
	return text, true
}

// readSecret returns the first line of a file.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxSecret {
		return "", fmt.Errorf("more than %d bytes", maxSecret)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
