package main

import (
	"fmt"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// addUserParameters makes the user-defined parameters known: those that another parameter refers to and that main.cf or
// master.cf sets. It warns about references to what does not exist.
func (pc *postconf) addUserParameters() error {
	pc.restriction = map[string]bool{}
	pc.clients = map[string]bool{}
	for _, s := range pc.services {
		if s.params != nil {
			if err := pc.scanSettings(s.params, s); err != nil {
				return err
			}
		}
	}
	if err := pc.checkNetworksDefault(); err != nil {
		return err
	}
	for _, name := range sortedKeys(pc.nodes) {
		n := pc.nodes[name]
		if _, set := pc.main[name]; !set && !n.raw {
			pc.scanValue(n.value, nil)
		}
	}
	return pc.scanSettings(pc.main, nil)
}

// checkNetworksDefault expands what the default of mynetworks depends on, which fails for a bad compatibility_level.
func (pc *postconf) checkNetworksDefault() error {
	for _, name := range []string{"inet_interfaces", "mynetworks_style", "inet_protocols"} {
		_, networks := pc.main["mynetworks"]
		_, set := pc.main[name]
		if networks || set {
			continue
		}
		if _, err := pc.expandValue(pc.nodes[name].value, nil, pc.mode); err != nil {
			return err
		}
	}
	return nil
}

// source names the file that a service's or the global settings come from.
func (pc *postconf) source(s *service) string {
	if s != nil {
		return pc.path("master.cf")
	}
	return pc.path("main.cf")
}

// scanSettings looks at all settings of one name space: that of a service, or main.cf.
func (pc *postconf) scanSettings(settings map[string]string, s *service) error {
	if err := pc.scanRestrictionClasses(settings, s); err != nil {
		return err
	}
	for _, name := range sortedKeys(settings) {
		value := settings[name]
		if s != nil && !s.used[name] && pc.restriction[name] {
			s.used[name] = true
		}
		n := pc.nodes[name]
		if n != nil && n.readOnly {
			pc.warn("%s: read-only parameter assignment: %s=%s", pc.source(s), name, value)
			delete(settings, name)
			continue
		}
		if n != nil && n.class&legacy != 0 {
			n.class |= user // now it is printed
		}
		if n != nil && n.raw {
			continue
		}
		pc.scanValue(value, s)
		if n != nil && n.class&(builtin|perService) != 0 {
			if err := pc.scanTables(value, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// scanRestrictionClasses makes the names in smtpd_restriction_classes known.
func (pc *postconf) scanRestrictionClasses(settings map[string]string, s *service) error {
	value, ok := settings["smtpd_restriction_classes"]
	if !ok {
		return nil
	}
	x := config.Expander{
		Lookup: func(name string) (string, bool) { v, ok := settings[name]; return v, ok },
		Warn:   func(message string) { pc.warn("%s", message) },
	}
	list, err := x.Expand(value)
	if err != nil {
		space := "mail_dict"
		if s != nil {
			space = s.name()
		}
		return fmt.Errorf("dictionary %s: %w", space, config.ErrMacro)
	}
	for _, name := range textfile.SplitList(list) {
		if s == nil {
			pc.restriction[name] = true
		}
		pc.use(name, s, true)
	}
	return nil
}

// scanValue makes the parameters known that a value refers to.
func (pc *postconf) scanValue(value string, s *service) {
	x := config.Expander{
		Lookup: func(name string) (string, bool) { pc.use(name, s, true); return "", false },
		Warn:   func(message string) { pc.warn("%s", message) },
	}
	// A syntax error was reported; it counts when the value is printed expanded.
	_ = x.Scan(value)
}

// use notes that a parameter is referred to, from a service's settings or from main.cf. If complain is set, one that
// has neither a setting nor a default is reported.
func (pc *postconf) use(name string, s *service, complain bool) {
	found := false
	if s != nil && s.has(name) {
		found = true
		s.used[name] = true
	} else if _, ok := pc.main[name]; ok {
		found = true
		if pc.nodes[name] == nil {
			pc.nodes[name] = &node{class: user}
		}
	}
	if s == nil {
		for _, other := range pc.services {
			if other.has(name) {
				found = true
				other.used[name] = true
			}
		}
	}
	if !found && complain && pc.nodes[name] == nil {
		pc.warn("%s: undefined parameter: %s", pc.source(s), name)
	}
}

func (s *service) has(name string) bool {
	_, ok := s.params[name]
	return ok
}
