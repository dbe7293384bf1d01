package check

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// mention is one place where the configuration names a table.
type mention struct {
	traits
	spec   string // as it is written: type:name, or the path of a list
	list   bool   // a /file/name that holds a list
	where  string // the parameter, for people
	set    bool   // by main.cf or master.cf, not only by a default
	asked  string // the service that opens it for others; "": the program that uses it
	inside string // the table that it is a part of; "" for none
	worker bool   // a service opens it as a part of another table, and asks nobody
}

// maxDepth is how deep lists and tables may be nested in each other.
const maxDepth = 20

// scanner finds the tables in the values of parameters.
type scanner struct {
	env      *maptypes.Env // for tables that are configured in main.cf
	readers  string        // the service that opens proxied tables for reading
	writers  string        // and for writing
	types    func(string) bool
	found    func(mention)
	complain func(where, text string)
}

// scan finds the tables in a value.
func (s *scanner) scan(value string, g grammar, m mention, depth int) {
	if depth > maxDepth {
		s.complain(m.where, fmt.Sprintf("lists are nested more than %d deep", maxDepth))
		return
	}
	skip := false
	for word, rest, ok := textfile.NextWord(value, textfile.CommaSpace); ok; word, rest, ok = textfile.NextWord(rest, textfile.CommaSpace) {
		if skip || g == restrictions && word == policyService {
			skip = !skip
			continue
		}
		s.word(word, g, m, depth)
	}
}

// word looks at one word of a list.
func (s *scanner) word(word string, g grammar, m mention, depth int) {
	if g == matchList {
		word = strings.TrimLeft(word, "!")
	}
	switch {
	case word == "" || word[0] == '[':
	case word[0] == '{':
		inside, err := textfile.Unbrace(word)
		if err != nil {
			s.complain(m.where, err.Error())
		}
		s.scan(inside, restrictions, m, depth+1)
	case g == matchList && word[0] == '/':
		s.file(word, m, depth)
	case g == tables, s.looksLikeTable(word):
		s.table(word, m, depth)
	}
}

// netAddress are words with a colon that are addresses of hosts or networks.
var netAddress = regexp.MustCompile(`^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/\d+)?$|^[^:]+:\d+$`)

func (s *scanner) looksLikeTable(word string) bool {
	typ, _, ok := strings.Cut(word, ":")
	return ok && (s.types(typ) || !netAddress.MatchString(word) && !strings.Contains(typ, "="))
}

// file looks into a /file/name that is a part of a list.
func (s *scanner) file(path string, m mention, depth int) {
	m.spec, m.list = path, true
	s.found(m)
	m.list = false
	f, err := os.Open(path)
	if err != nil {
		return // as will be found when the file is tried
	}
	defer f.Close()
	lines := textfile.NewReader(f, path)
	where := m.where
	for {
		line, err := lines.Next()
		if err != nil {
			if err != io.EOF {
				s.complain(where, err.Error())
			}
			return
		}
		m.where = fmt.Sprintf("%s in %s:%d", where, path, line.Number)
		s.scan(line.CString(), matchList, m, depth+1)
	}
}

// table notes a table, and those that it is made of.
func (s *scanner) table(spec string, m mention, depth int) {
	if depth > maxDepth {
		s.complain(m.where, fmt.Sprintf("tables are nested more than %d deep", maxDepth))
		return
	}
	m.spec = spec
	inner := stripProxy(spec)
	if inner != spec && !m.worker {
		if m.asked = s.readers; m.Write {
			m.asked = s.writers
		}
	}
	s.found(m)
	typ, name, err := maptypes.Split(inner)
	if err != nil {
		return
	}
	m.inside, m.worker = spec, m.worker || m.asked != ""
	m.where += " in " + typ
	switch typ {
	case "unionmap", "pipemap":
		inside, err := textfile.Unbrace(name)
		if err != nil {
			return // the table itself will say so
		}
		for _, member := range textfile.SplitBraceList(inside) {
			s.table(member, m, depth+1)
		}
	case "debug":
		s.table(name, m, depth+1)
	default:
		s.client(typ, name, m, depth)
	}
}

// client finds the tables that the settings of a database client name.
func (s *scanner) client(typ, name string, m mention, depth int) {
	if !isClient[typ] {
		return
	}
	settings, err := tablecf.Load(s.env, name)
	if err != nil {
		return // the table itself will say so
	}
	if backup, ok := settings.Lookup("backup"); ok && typ == "memcache" && backup != "" {
		m := m
		m.where += ": backup"
		s.table(backup, m, depth+1)
	}
	m.where += ": domain"
	m.traits = traits{}
	s.scan(settings.String("domain", ""), matchList, m, depth+1)
}

// isClient are the types whose tables have settings, in a file of their own or in main.cf, with a list "domain".
var isClient = map[string]bool{
	"http": true, "ldap": true, "memcache": true, "mongodb": true, "mysql": true, "pgsql": true, "redis": true, "sqlite": true,
}

const proxyPrefix = "proxy:"

// stripProxy removes all proxy: prefixes.
func stripProxy(spec string) string {
	for strings.HasPrefix(spec, proxyPrefix) {
		spec = spec[len(proxyPrefix):]
	}
	return spec
}
