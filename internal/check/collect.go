package check

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// collection is what main.cf and master.cf say about tables.
type collection struct {
	dir      string
	params   *config.Params
	registry *maptypes.Registry
	services []config.Service
	mentions []mention
	problems []Finding // about the configuration itself
}

// collect finds all tables. The error is that of a main.cf that cannot be read.
func collect(dir string, drivers []maptypes.Driver) (*collection, error) {
	params, err := config.Load(dir, nil)
	if err == nil {
		err = params.Check(config.Common...)
	}
	if err != nil {
		return nil, errors.New(withoutPassword(err.Error()))
	}
	c := &collection{dir: dir, params: params, registry: maptypes.NewRegistry(drivers...)}
	for _, warning := range params.Warnings() {
		c.problem("", warning)
	}
	services, warnings, err := config.LoadMaster(dir, params)
	if err != nil {
		c.problem("", err.Error())
	}
	for _, warning := range warnings {
		c.problem("", warning)
	}
	c.services = services
	seen := map[string]bool{}
	c.parameters(params, func(name string) string { return name }, func(m mention, name string) bool {
		seen[m.id(name)] = true
		return true
	})
	for _, service := range services {
		c.service(service, seen)
	}
	return c, nil
}

// problem notes a finding about the configuration. Its text may be preceded by the place that it is about.
func (c *collection) problem(where, text string) {
	if where != "" {
		text = where + ": " + text
	}
	f := newFinding(kindConfiguration, withoutPassword(text))
	if !slices.Contains(c.problems, f) {
		c.problems = append(c.problems, f)
	}
}

// service finds the tables that differ from main.cf's because of the service's options -o.
func (c *collection) service(s config.Service, seen map[string]bool) {
	overrides := c.overrides(s, true)
	if len(overrides) == 0 {
		return
	}
	params, err := config.Load(c.dir, overrides)
	if err != nil {
		return // as main.cf before
	}
	own := map[string]bool{}
	for _, o := range overrides {
		own[o.Name] = true
	}
	label := func(name string) string {
		if own[name] {
			name = "-o " + name
		}
		return fmt.Sprintf("master.cf:%d %s/%s %s", s.Line, s.Name, s.Type, name)
	}
	c.parameters(params, label, func(m mention, name string) bool { return !seen[m.id(name)] })
}

// id tells apart what a parameter says about a table.
func (m *mention) id(parameter string) string { return parameter + "\x00" + m.spec + "\x00" + m.asked }

// overrides returns the settings of a service's options -o.
func (c *collection) overrides(s config.Service, report bool) (list []config.Override) {
	for i := 0; i < len(s.Args) && strings.HasPrefix(s.Args[i], "-") && s.Args[i] != "--"; i++ {
		at := strings.IndexByte(s.Args[i], 'o')
		if at < 0 {
			continue
		}
		setting := s.Args[i][at+1:]
		if setting == "" {
			if i++; i == len(s.Args) {
				break
			}
			setting = s.Args[i]
		}
		o, err := config.ParseOverride(setting)
		if err == nil {
			list = append(list, o)
		} else if report {
			c.problem(fmt.Sprintf("%s, line %d", s.File, s.Line), err.Error())
		}
	}
	return list
}

// parameters finds the tables in all parameters. A mention is kept when the function keep says so.
func (c *collection) parameters(params *config.Params, label func(string) string, keep func(m mention, name string) bool) {
	classes := map[string]bool{}
	if list, err := params.String("smtpd_restriction_classes"); err == nil {
		for _, class := range textfile.SplitList(list) {
			classes[class] = true
		}
	}
	for _, name := range c.names(params, classes) {
		g := grammarOf(name)
		if classes[name] || g == noTables && holdsRestrictions(params, name) {
			g = restrictions
		}
		if g == noTables {
			continue
		}
		c.parameter(params, name, g, label(name), keep)
	}
}

// accessCheck is a restriction with a table.
var accessCheck = regexp.MustCompile(`\bcheck_[a-z_]+_access\s`)

// holdsRestrictions reports whether a parameter that main.cf has invented holds restrictions, for others to refer to.
func holdsRestrictions(params *config.Params, name string) bool {
	value, _ := params.Raw(name)
	_, builtin := config.Lookup(name)
	return !builtin && accessCheck.MatchString(value)
}

// names returns the names of the parameters that may hold tables, sorted: those that are built in, those that are set,
// and restriction classes.
func (c *collection) names(params *config.Params, classes map[string]bool) []string {
	names := config.Names()
	for name := range params.Set() {
		names = append(names, name)
	}
	for class := range classes {
		if _, ok := params.Raw(class); ok {
			names = append(names, class)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// parameter finds the tables in one parameter.
func (c *collection) parameter(params *config.Params, name string, g grammar, label string, keep func(mention, string) bool) {
	value, err := params.String(name)
	if err != nil {
		if params.IsSet(name) {
			c.problem("", err.Error())
		}
		return
	}
	if name == "alias_database" {
		value = c.typed(params, value)
	}
	s := c.scanner(params)
	s.found = func(m mention) {
		if keep(m, name) {
			c.mentions = append(c.mentions, m)
		}
	}
	s.complain = func(where, text string) {
		if params.IsSet(name) {
			c.problem(where, text)
		}
	}
	s.scan(value, g, mention{traits: traitsOf(name), where: label, set: params.IsSet(name)}, 0)
}

// typed puts default_database_type in front of the words that have no type, as newaliases does.
func (c *collection) typed(params *config.Params, value string) string {
	typ, err := params.String("default_database_type")
	words := textfile.SplitBraceList(value)
	for i, word := range words {
		if !strings.Contains(word, ":") && err == nil {
			words[i] = typ + ":" + word
		}
	}
	return strings.Join(words, " ")
}

// scanner returns a scanner for the values of params.
func (c *collection) scanner(params *config.Params) *scanner {
	s := &scanner{
		env:      newEnv(params, c.registry, func(string) {}),
		types:    c.known,
		readers:  "proxymap",
		writers:  "proxywrite",
		complain: c.problem,
	}
	if name, err := params.String("proxymap_service_name"); err == nil {
		s.readers = name
	}
	if name, err := params.String("proxywrite_service_name"); err == nil {
		s.writers = name
	}
	return s
}

// known reports whether this program has a map type of this name.
func (c *collection) known(typ string) bool { return slices.Contains(c.registry.Types(), typ) }

// findService returns the entry of master.cf of a proxymap service. Its command may have another name: ours beside
// Postfix's is proxymapd.
func (c *collection) findService(name string) *config.Service {
	for i, s := range c.services {
		if s.Type == "unix" && s.Name == name && strings.HasPrefix(filepath.Base(s.Command), "proxymap") {
			return &c.services[i]
		}
	}
	return nil
}
