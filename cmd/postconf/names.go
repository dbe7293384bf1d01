package main

import (
	"path"

	"github.com/proxymapd/proxymapd/internal/config"
)

// class says where a parameter's name comes from.
type class uint

const (
	builtin    class = 1 << iota
	perService       // made of a service name in master.cf and a suffix
	user             // defined in main.cf or master.cf and used there
	legacy           // known for the sake of old configuration files
)

const allClasses = builtin | perService | user

// node is a known parameter.
type node struct {
	class    class
	raw      bool   // not $-expanded
	readOnly bool   // set by the program
	value    string // default
}

// addBuiltins makes the built-in parameters known.
func (pc *postconf) addBuiltins() {
	pc.nodes = map[string]*node{}
	for _, name := range config.Names() {
		p, _ := config.Lookup(name)
		n := &node{class: builtin, raw: p.Type == config.TypeRaw, readOnly: p.Type == config.TypeReadOnly}
		if p.Type == config.TypeLegacy {
			n.class = legacy
		}
		n.value, _ = pc.params.Default(name)
		pc.nodes[name] = n
	}
	pc.nodes["config_directory"].value = config.DefaultDir
	pc.nodes["process_name"].value = "postconf"
}

// transportSuffixes are the endings of the parameters that each mail delivery transport has, with the parameter that is
// the default.
var transportSuffixes = [][2]string{
	{"_recipient_limit", "default_recipient_limit"},
	{"_extra_recipient_limit", "default_extra_recipient_limit"},
	{"_recipient_refill_limit", "default_recipient_refill_limit"},
	{"_recipient_refill_delay", "default_recipient_refill_delay"},
	{"_delivery_slot_cost", "default_delivery_slot_cost"},
	{"_delivery_slot_loan", "default_delivery_slot_loan"},
	{"_delivery_slot_discount", "default_delivery_slot_discount"},
	{"_minimum_delivery_slots", "default_minimum_delivery_slots"},
	{"_initial_destination_concurrency", "initial_destination_concurrency"},
	{"_destination_concurrency_limit", "default_destination_concurrency_limit"},
	{"_destination_recipient_limit", "default_destination_recipient_limit"},
	{"_destination_concurrency_positive_feedback", "default_destination_concurrency_positive_feedback"},
	{"_destination_concurrency_negative_feedback", "default_destination_concurrency_negative_feedback"},
	{"_destination_concurrency_failed_cohort_limit", "default_destination_concurrency_failed_cohort_limit"},
	{"_destination_rate_delay", "default_destination_rate_delay"},
	{"_transport_rate_delay", "default_transport_rate_delay"},
}

var commandSuffixes = [][2]string{{"_time_limit", "command_time_limit"}}

// addServiceParameters makes the parameters known that belong to transports and commands in master.cf.
func (pc *postconf) addServiceParameters() {
	for _, s := range pc.services {
		switch s.columns[columnCommand] {
		case "local", "error", "virtual", "smtp", "lmtp":
			pc.addSuffixes(s.columns[0], transportSuffixes)
		case "pipe":
			pc.addSuffixes(s.columns[0], commandSuffixes)
			pc.addSuffixes(s.columns[0], transportSuffixes)
		case "spawn":
			pc.addSuffixes(s.columns[0], commandSuffixes)
		}
	}
}

func (pc *postconf) addSuffixes(service string, suffixes [][2]string) {
	for _, s := range suffixes {
		name := service + s[0]
		if n := pc.nodes[name]; n != nil {
			n.class = n.class&^allClasses | perService
			continue
		}
		pc.nodes[name] = &node{class: perService, value: "$" + s[1]}
	}
}

// readMain reads main.cf and applies the overrides.
func (pc *postconf) readMain() error {
	pc.main = map[string]string{}
	pc.params = config.New(pc.dir, nil)
	if pc.has(showDefaults) {
		return nil
	}
	if pc.dirGiven {
		pc.main["config_directory"] = pc.dir
	}
	file := pc.path("main.cf")
	err := config.ReadSettings(file, func(m string) { pc.warn("%s", m) }, func(name, value string, line int) {
		if old, ok := pc.main[name]; ok && old != value {
			pc.warn("%s, line %d: overriding earlier entry: %s=%s", file, line, name, old)
		}
		pc.main[name] = value
	})
	if err != nil {
		return err
	}
	for _, arg := range pc.overrides {
		name, value, err := config.SplitNameValue(arg)
		if err != nil {
			return &overrideError{arg, err}
		}
		pc.main[name] = value
	}
	pc.params = config.New(pc.dir, pc.main)
	return nil
}

type overrideError struct {
	arg string
	err error
}

func (e *overrideError) Error() string {
	return "invalid parameter override: " + e.arg + ": " + e.err.Error()
}

// lookup returns the unexpanded value of a parameter as a service sees it, or main.cf if there is no service.
func (pc *postconf) lookup(name string, s *service, modes mode) (string, bool) {
	if modes&showDefaults == 0 {
		if s != nil {
			if value, ok := s.lookup(name); ok {
				return value, true
			}
		}
		if value, ok := pc.main[name]; ok {
			return value, true
		}
		if modes&showNonDefaults != 0 {
			return "", false
		}
	}
	if n := pc.nodes[name]; n != nil {
		return n.value, true
	}
	return "", false
}

// lookup returns what the service's own entry says.
func (s *service) lookup(name string) (string, bool) {
	command := path.Base(s.columns[columnCommand])
	switch name {
	case "process_name":
		return command, true
	case "service_name":
		return s.columns[0], true
	}
	value, ok := s.params[name]
	return value, ok
}

// expandValue expands $name in a value.
func (pc *postconf) expandValue(value string, s *service, modes mode) (string, error) {
	x := config.Expander{
		Lookup: func(name string) (string, bool) { return pc.lookup(name, s, modes&^showNonDefaults) },
		Raw:    func(name string) bool { n := pc.nodes[name]; return n != nil && n.raw },
		Warn:   func(message string) { pc.warn("%s", message) },
	}
	result, err := x.Expand(value)
	if err != nil {
		return "", config.ErrMacro // the reason was written as a warning
	}
	return result, nil
}
