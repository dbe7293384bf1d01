package tablecf

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// load reads settings from a file with the given text and returns them with
// the warnings so far.
func load(t *testing.T, text string) (*Settings, *[]string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.cf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	env := &maptypes.Env{Warnf: func(format string, args ...any) {
		warnings = append(warnings, strings.ReplaceAll(fmt.Sprintf(format, args...), path, "F"))
	}}
	s, err := Load(env, path)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), path, "F"))
	}
	return s, &warnings, err
}

func TestFile(t *testing.T) {
	s, warnings, err := load(t, `# comment
hosts = a,
  b
password = se#c $ret
flag = YES
n = -3
t = 2m
u = 7
pasword = hunter2
n = 4
empty =
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String("hosts", ""); got != "a,  b" {
		t.Errorf("hosts %q", got)
	}
	if got, ok := s.Secret("password"); got != "se#c $ret" || !ok {
		t.Errorf("password %q %v: nothing in it is special", got, ok)
	}
	if !s.Bool("flag", false) || !s.Bool("none", true) {
		t.Error("booleans are wrong")
	}
	if got := s.Int("n", 1, math.MinInt); got != 4 {
		t.Errorf("n = %d", got)
	}
	if got := s.Seconds("t", 0, time.Second); got != 2*time.Minute {
		t.Errorf("t = %v", got)
	}
	if got := s.Seconds("u", 0, time.Second); got != 7*time.Second {
		t.Errorf("u = %v", got)
	}
	if text, ok := s.Lookup("empty"); text != "" || !ok {
		t.Errorf("empty: %q %v", text, ok)
	}
	s.Known("empty")
	s.WarnUnused()
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	want := []string{"F, line 10: overriding earlier entry: n", "F, line 9: unused parameter: pasword"}
	if !slices.Equal(*warnings, want) {
		t.Errorf("warnings %q, want %q", *warnings, want)
	}
}

func TestBadLines(t *testing.T) {
	for text, want := range map[string]string{
		"a = b\npassword hunter2\n": "F, line 2: missing '=' after attribute name: \"password\"",
		"= b\n":                     "F, line 1: missing attribute name",
	} {
		if _, _, err := load(t, text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestBadValues(t *testing.T) {
	for _, test := range []struct {
		get  func(*Settings)
		want string
	}{
		{func(s *Settings) { s.Int("n", 0, 0) }, "bad numerical configuration: n = 1x"},
		{func(s *Settings) { s.Int("m", 5, 1) }, "invalid m parameter value 0 < 1"},
		{func(s *Settings) { s.Bool("b", false) }, "bad boolean configuration: b = maybe"},
		{func(s *Settings) { s.Required("dbname", "") }, "bad string length 0 < 1: dbname = "},
		{func(s *Settings) { s.Seconds("idle", time.Minute, time.Second) }, "invalid idle parameter value 0 < 1"},
		{func(s *Settings) { s.Int("n", 0, 0); s.Bool("b", false) }, "bad numerical configuration: n = 1x"},
	} {
		s, _, err := load(t, "n = 1x\nm = 0\nb = maybe\nidle = 0\n")
		if err != nil {
			t.Fatal(err)
		}
		test.get(s)
		err = s.Err()
		if !errors.Is(err, maptypes.ErrConfig) || !strings.HasSuffix(err.Error(), ".cf: "+test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(&maptypes.Env{}, "/no/such.cf")
	if err == nil || err.Error() != "open /no/such.cf: No such file or directory" || errors.Is(err, maptypes.ErrConfig) {
		t.Errorf("error %v", err)
	}
}

func TestMainParameters(t *testing.T) {
	params := map[string]string{"users_hosts": "h", "users_n": "x"}
	env := &maptypes.Env{Param: func(name string) (string, bool) { v, ok := params[name]; return v, ok }}
	s, err := Load(env, "users")
	if err != nil {
		t.Fatal(err)
	}
	if s.String("hosts", "") != "h" || s.String("user", "def") != "def" || s.Watch() != nil {
		t.Error("parameters of main.cf are not found")
	}
	s.Required("dbname", "")
	if err := s.Err(); err == nil || err.Error() != "bad string length 0 < 1: users_dbname = " {
		t.Errorf("error %v", err)
	}
}
