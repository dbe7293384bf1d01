package proxymap

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Parameter and type names that approval knows.
const (
	readMapsParam  = "proxy_read_maps"
	writeMapsParam = "proxy_write_maps"
	classesParam   = "smtpd_restriction_classes"
	proxyPrefix    = "proxy:"
)

// maxNesting bounds how deep lists may contain lists: braces within braces, and
// files that name files (which Postfix would follow for ever).
const maxNesting = 20

// approval is the set of tables that clients may open, by "type:name" without
// the proxy: prefix. The value says where the table was listed.
type approval struct {
	origin map[string]string
	params *config.Params
	warnf  func(format string, args ...any)
}

// approve computes the approved tables of a service: what its parameter lists
// and, for the read service, what the restriction classes use (proxymap(8),
// Postfix 3.11).
func approve(params *config.Params, writer bool, warnf func(string, ...any)) (*approval, error) {
	a := &approval{origin: map[string]string{}, params: params, warnf: warnf}
	param := readMapsParam
	if writer {
		param = writeMapsParam
	}
	list, err := params.String(param)
	if err != nil {
		return nil, err
	}
	a.addList(list, param, 0)
	if writer {
		return a, nil
	}
	return a, a.addClasses()
}

// has reports whether a table is approved. The name has no proxy: prefix.
func (a *approval) has(name string) bool {
	_, ok := a.origin[name]
	return ok
}

// addList approves the proxied tables that a list names.
func (a *approval) addList(list, origin string, depth int) {
	if depth > maxNesting {
		a.warnf("%s content: tables are nested more than %d deep", origin, maxNesting)
		return
	}
	for word, rest, ok := textfile.NextWord(list, textfile.CommaSpace); ok; word, rest, ok = textfile.NextWord(rest, textfile.CommaSpace) {
		if strings.HasPrefix(word, "{") {
			inside, err := textfile.Unbrace(word)
			if err != nil {
				a.warnf("bad syntax in %s content: %v", origin, err)
				continue
			}
			// { type:name attribute=value ... }: the rest is not about tables.
			if word, _, ok = textfile.NextWord(inside, textfile.CommaSpace); !ok {
				continue
			}
		}
		a.addWord(word, origin, depth)
	}
}

// addWord approves what one word of a list names.
func (a *approval) addWord(word, origin string, depth int) {
	if strings.HasPrefix(word, "/") {
		a.addFile(word, depth+1)
		return
	}
	// [ipv6::addr] and others are no tables.
	if !isAlphanumeric(word[0]) || !strings.Contains(word, ":") {
		return
	}
	if nested, ok := nestedTables(word); ok {
		if !strings.HasPrefix(nested, "{") {
			return
		}
		inside, err := textfile.Unbrace(nested)
		if err != nil {
			a.warnf("bad syntax in %s content: %v", origin, err)
			return
		}
		a.addList(inside, origin, depth+1)
		return
	}
	if !strings.HasPrefix(word, proxyPrefix) {
		return
	}
	name := stripProxy(word)
	if _, ok := a.origin[name]; !ok {
		a.origin[name] = origin
	}
}

// addFile approves the tables that the lines of a /file/name list.
func (a *approval) addFile(name string, depth int) {
	file, err := os.Open(name)
	if err != nil {
		a.warnf("open %s: %v", name, maptypes.SystemError(err))
		return
	}
	defer file.Close()
	lines := textfile.NewReader(bufio.NewReader(file), name)
	for {
		line, err := lines.Next()
		if err != nil {
			if !isEOF(err) {
				a.warnf("read %s: %v", name, maptypes.SystemError(err))
			}
			return
		}
		a.addList(line.CString(), name, depth)
	}
}

// addClasses approves the tables that the restriction classes use.
func (a *approval) addClasses() error {
	classes, err := a.params.String(classesParam)
	if err != nil {
		return err
	}
	for _, class := range strings.FieldsFunc(classes, func(r rune) bool { return strings.ContainsRune(textfile.CommaSpace, r) }) {
		if _, ok := a.params.Raw(class); !ok {
			continue
		}
		list, err := a.params.String(class)
		if err != nil {
			return fmt.Errorf("%s: %w", classesParam, err)
		}
		a.addList(list, classesParam, 0)
	}
	return nil
}

// nestedTables returns what follows the type of a composite table whose
// members count each for itself.
func nestedTables(word string) (string, bool) {
	for _, prefix := range []string{"unionmap:", "pipemap:"} {
		if nested, ok := strings.CutPrefix(word, prefix); ok {
			return nested, true
		}
	}
	return "", false
}

// stripProxy removes all proxy: prefixes.
func stripProxy(name string) string {
	for strings.HasPrefix(name, proxyPrefix) {
		name = name[len(proxyPrefix):]
	}
	return name
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
