package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// printFields prints columns of master.cf (-F).
func (pc *postconf) printFields() error {
	requests, err := parseRequests(pc.args, 3, "-F option requires service_name[/type[/field]]")
	if err != nil {
		return err
	}
	for _, r := range requests {
		if name := r.parts[2]; name != "*" && !slices.Contains(columnNames, name) {
			return fmt.Errorf("invalid service attribute name: \"%s\"", name)
		}
	}
	return pc.forServices(requests, func(s *service, r *request) (bool, error) {
		for i, name := range columnNames {
			if r != nil && r.parts[2] != "*" && r.parts[2] != name {
				continue
			}
			if err := pc.printField(s, i); err != nil {
				return true, err
			}
		}
		return true, nil
	})
}

func (pc *postconf) printField(s *service, column int) error {
	if pc.has(asJSON) {
		return pc.printFieldJSON(s, column)
	}
	w := &lineWriter{fold: pc.has(fold)}
	if !pc.has(hideName) {
		w.add(s.name() + "/" + columnNames[column])
		if !pc.has(hideValue) {
			w.add(" = ")
		}
	}
	if !pc.has(hideValue) {
		value := s.columns[column]
		if w.length > 0 && w.length+len(value) > lineLimit {
			w.text.WriteString("\n" + indent)
			w.length = len(indent)
		}
		w.add(value)
		if column == columnCommand {
			if err := pc.printArguments(w, s, 1); err != nil {
				return err
			}
		}
	}
	fmt.Fprintln(pc.out, w.text.String())
	return nil
}

// printServiceParameters prints what -o sets in master.cf (-P), or all parameters as the services see them (-PP).
func (pc *postconf) printServiceParameters() error {
	requests, err := parseRequests(pc.args, 3, "-P option requires service_name[/type[/parameter]]")
	if err != nil {
		return err
	}
	return pc.forServices(requests, func(s *service, r *request) (bool, error) {
		params := s.params
		if pc.has(masterAllParams) {
			params = pc.allParameters(s)
		}
		if params == nil {
			return false, nil
		}
		names := sortedKeys(params)
		if r != nil && r.parts[2] != "*" {
			if _, ok := params[r.parts[2]]; !ok {
				return false, nil
			}
			names = r.parts[2:]
		}
		for _, name := range names {
			if err := pc.printServiceParameter(s, name, params[name]); err != nil {
				return true, err
			}
		}
		return true, nil
	})
}

func (pc *postconf) allParameters(s *service) map[string]string {
	all := map[string]string{}
	for name, n := range pc.nodes {
		if n.class&pc.class != 0 || len(pc.args) > 0 {
			all[name], _ = pc.lookup(name, s, pc.mode)
		}
	}
	maps.Copy(all, s.params)
	return all
}

func (pc *postconf) printServiceParameter(s *service, name, value string) error {
	if pc.has(expand) && !pc.has(hideValue) {
		var err error
		if value, err = pc.expandValue(value, s, pc.mode); err != nil {
			return err
		}
	}
	pc.printSetting(strings.Join([]string{s.name(), name}, "/"), value)
	return nil
}
