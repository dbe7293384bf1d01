package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/proxymap"
)

// The parameters that say which tables proxymap(8) opens for others.
const (
	readList  = "proxy_read_maps"
	writeList = "proxy_write_maps"
)

// server is a service that opens tables for other programs.
type server struct {
	name      string
	params    *config.Params
	parameter string            // its list of approved tables
	approved  map[string]string // by "type:name", with what lists it
	identity  identity
	err       error // why its tables cannot be tried
}

// Allowlist is what is to be said about the tables that a service approves.
type Allowlist struct {
	Service   string   `json:"service"`
	Parameter string   `json:"parameter"`
	Lacks     []string `json:"lacks"`  // used, and not approved
	Unused    []string `json:"unused"` // approved, and not used
}

// server returns a service by name, as master.cf has it.
func (r *run) server(name string) *server {
	if s := r.servers[name]; s != nil {
		return s
	}
	s := &server{name: name, params: r.params, parameter: readList}
	r.servers[name] = s
	entry := r.findService(name)
	if entry == nil {
		if len(r.services) > 0 {
			r.problem("", fmt.Sprintf("%s/master.cf has no service %s, which is asked for tables", r.dir, name))
		}
		entry = &config.Service{Name: name, Unprivileged: true}
	}
	s.identity.Overrides = r.overrides(*entry, false)
	if params, err := config.Load(r.dir, s.identity.Overrides); err == nil {
		s.params = params
	}
	if name == proxymap.WriteService {
		s.parameter = writeList
	}
	s.approve(r.problem)
	s.err = s.identify(entry)
	return s
}

// approve finds out which tables the service approves.
func (s *server) approve(problem func(where, text string)) {
	var err error
	if !s.params.IsSet(s.parameter) {
		problem = func(string, string) {} // it is about other parameters, which are looked at themselves
	}
	s.approved, err = proxymap.Approved(s.name, s.params, func(format string, args ...any) {
		problem("", fmt.Sprintf(format, args...))
	})
	if err != nil {
		problem("", err.Error())
	}
}

// identify finds out who the service is when it opens tables.
func (s *server) identify(entry *config.Service) error {
	overrides := s.identity.Overrides
	if entry.Unprivileged {
		owner, err := s.params.String("mail_owner")
		if err != nil {
			return err
		}
		if s.identity, err = identityOf(owner); err != nil {
			return err
		}
	}
	s.identity.Overrides = overrides
	if entry.Chroot {
		queue, err := s.params.String("queue_directory")
		if err != nil {
			return err
		}
		s.identity.Root = queue
	}
	return nil
}

// allowlists compares what is approved with what is used. Only those services are looked at that somebody asks, or that
// master.cf has.
func (r *run) allowlists() []Allowlist {
	for _, s := range r.services {
		if entry := r.findService(s.Name); entry != nil && (s.Name == proxymap.ReadService || s.Name == proxymap.WriteService) {
			r.server(s.Name)
		}
	}
	used := map[string]map[string]bool{}
	lacks := map[string][]string{}
	for _, m := range r.mentions {
		if m.asked == "" || m.worker {
			continue
		}
		if used[m.asked] == nil {
			used[m.asked] = map[string]bool{}
		}
		name := stripProxy(m.spec)
		used[m.asked][name] = true
		if s := r.server(m.asked); m.set && !s.approves(name) && !slices.Contains(lacks[m.asked], proxyPrefix+oneLine(name)) {
			lacks[m.asked] = append(lacks[m.asked], proxyPrefix+oneLine(name))
		}
	}
	lists := []Allowlist{}
	for name, s := range r.servers {
		list := Allowlist{Service: name, Parameter: s.parameter, Lacks: lacks[name], Unused: []string{}}
		for table := range s.approved {
			if !used[name][table] {
				list.Unused = append(list.Unused, proxyPrefix+oneLine(table))
			}
		}
		slices.Sort(list.Unused)
		if list.Lacks == nil {
			list.Lacks = []string{}
		}
		lists = append(lists, list)
	}
	slices.SortFunc(lists, func(a, b Allowlist) int { return strings.Compare(a.Service, b.Service) })
	return lists
}

// approves reports whether the service opens a table for others, as far as is known.
func (s *server) approves(name string) bool {
	_, ok := s.approved[name]
	return ok || s.approved == nil
}
