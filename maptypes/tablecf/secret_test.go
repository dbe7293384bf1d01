package tablecf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSecretSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte("from file \r\nsecond line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TABLECF_TEST_SECRET", "from environment")
	for text, want := range map[string]string{
		"password_file = " + file + "\nbind_pw = plain\n": "plain",
		"bind_pw = plain\n":                         "plain",
		"bind_pw = ${env:TABLECF_TEST_SECRET}\n":    "from environment",
		"bind_pw = x${env:TABLECF_TEST_SECRET}\n":   "x${env:TABLECF_TEST_SECRET}",
		"password_file = " + file + "\n":            "from file ",
		"password_file = " + file + "\nbind_pw =\n": "from file ",
	} {
		s, warnings, err := load(t, text)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := s.Secret("bind_pw")
		s.WarnUnused()
		if got != want || !ok || s.Err() != nil || len(*warnings) > 0 {
			t.Errorf("%s: %q %v, error %v, warnings %q; want %q", text, got, ok, s.Err(), *warnings, want)
		}
		if watched := slices.Contains(s.Watch(), file); watched != strings.HasPrefix(want, "from file") {
			t.Errorf("%s: the password file is watched: %v", text, watched)
		}
	}
}

func TestMissingSecret(t *testing.T) {
	for text, want := range map[string]string{
		"bind_pw = ${env:TABLECF_TEST_NONE}\n": "bind_pw: no environment variable TABLECF_TEST_NONE",
		"password_file = /no/such/file\n":      "open password_file /no/such/file: No such file or directory",
		"other = x\n":                          "",
	} {
		s, _, err := load(t, text)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := s.Secret("bind_pw")
		failed := ""
		if s.Err() != nil {
			_, failed, _ = strings.Cut(s.Err().Error(), ".cf: ")
		}
		if got != "" || failed != want {
			t.Errorf("%s: %q, error %q; want %q", text, got, failed, want)
		}
	}
}
