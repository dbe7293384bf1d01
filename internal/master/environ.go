package master

import (
	"fmt"
	"os"
	"strings"
)

// Environment variables of Postfix's programs.
const (
	envConfig          = "MAIL_CONFIG"      // configuration directory
	envVerbose         = "MAIL_VERBOSE"     // as -v
	envDebug           = "MAIL_DEBUG"       // as -D
	envPostlogService  = "POSTLOG_SERVICE"  // socket of the postlog service
	envPostlogHostname = "POSTLOG_HOSTNAME" // host name for log records
)

// cleanEnvironment empties the environment, except for the variables that
// import_environment names or sets, so that the mail system behaves the same
// whether it is started by hand or at boot time.
func cleanEnvironment(importList string) error {
	keep, err := importedVariables(importList, os.LookupEnv)
	if err != nil {
		return err
	}
	os.Clearenv()
	for _, v := range keep {
		if err := os.Setenv(v.name, v.value); err != nil {
			return fmt.Errorf("import_environment: set %s: %w", v.name, err)
		}
	}
	return nil
}

type variable struct{ name, value string }

// importedVariables interprets import_environment: a name keeps a variable, and
// name=value, or { name = value } where there are blanks, sets one.
func importedVariables(list string, lookup func(string) (string, bool)) ([]variable, error) {
	words, err := splitBraced(list)
	if err != nil {
		return nil, fmt.Errorf("import_environment: %w", err)
	}
	var found []variable
	for _, word := range words {
		if name, value, ok := strings.Cut(word, "="); ok {
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			if name == "" {
				return nil, fmt.Errorf("import_environment: missing attribute name in: %s", word)
			}
			found = append(found, variable{name, value})
		} else if value, ok := lookup(word); ok {
			found = append(found, variable{word, value})
		}
	}
	return found, nil
}

// splitBraced splits a list at commas and blanks outside braces, and strips the
// braces around a word and the blanks inside them.
func splitBraced(list string) ([]string, error) {
	const separators = ", \t\r\n"
	var words []string
	for {
		list = strings.TrimLeft(list, separators)
		if list == "" {
			return words, nil
		}
		end, depth := 0, 0
		for end < len(list) && (depth > 0 || strings.IndexByte(separators, list[end]) < 0) {
			switch list[end] {
			case '{':
				depth++
			case '}':
				depth--
			}
			end++
		}
		word := list[:end]
		list = list[end:]
		if word[0] == '{' {
			if depth > 0 {
				return nil, fmt.Errorf("missing '}' in %q", word)
			}
			if word[len(word)-1] != '}' || strings.IndexByte(word, '}') < len(word)-1 && !balanced(word) {
				return nil, fmt.Errorf("syntax error after '}' in %q", word)
			}
			word = strings.TrimSpace(word[1 : len(word)-1])
		}
		words = append(words, word)
	}
}

// balanced says whether the first brace of a word is closed by its last byte.
func balanced(word string) bool {
	depth := 0
	for i := range len(word) {
		switch word[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return i == len(word)-1
		}
	}
	return false
}

// exportSettings puts into the environment what workers need before they have
// read their configuration.
func exportSettings(s *settings) error {
	set := map[string]string{envConfig: s.configDir}
	if s.maillogFile == "" {
		os.Unsetenv(envPostlogService)
		os.Unsetenv(envPostlogHostname)
	} else {
		set[envPostlogService] = s.postlogSocket
		set[envPostlogHostname] = s.hostname
	}
	for name, value := range set {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set environment %s: %w", name, err)
		}
	}
	return nil
}
