package check

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Exit statuses.
const (
	exitClean     = 0 // nothing to complain about
	exitProblems  = 1 // problems were found
	exitUnchecked = 2 // no problems were found, but something could not be looked at
)

// Options say what to check and how to tell about it.
type Options struct {
	Dir     string            // of main.cf
	Tables  []string          // [type:]name; none: all that the configuration names
	JSON    bool              // print one JSON object
	Drivers []maptypes.Driver // the map types
	Out     io.Writer
}

// Check tries tables and reports about them. It returns the exit status: 0 when all is well, 1 when there are problems,
// 2 when something could not be looked at. The error, with status 2, is that of a main.cf that cannot be used.
func Check(opt Options) (status int, err error) {
	c, err := collect(opt.Dir, opt.Drivers)
	if err != nil {
		return exitUnchecked, err
	}
	r := &run{collection: c, drivers: opt.Drivers, servers: map[string]*server{}}
	report := &Report{Allowlists: []Allowlist{}}
	if len(opt.Tables) > 0 {
		r.only(opt.Tables)
		r.problems = nil // nobody has asked for them
	} else {
		report.Allowlists = r.allowlists()
		r.addApproved()
	}
	r.group()
	r.try()
	report.Tables, report.Configuration = r.rows, r.problems
	report.finish()
	if opt.JSON {
		err = report.json(opt.Out)
	} else {
		err = report.text(opt.Out)
	}
	return report.status(), err
}

// run is one check.
type run struct {
	*collection
	drivers []maptypes.Driver
	servers map[string]*server
	rows    []*Row
	tasks   []*task // one for each row
}

// task is how a row comes about.
type task struct {
	job
	row      *Row
	identity identity
	inside   []string // the tables that it is a part of
	err      error    // why it cannot be tried
}

// only limits the check to the tables that were named.
func (r *run) only(names []string) {
	typ, _ := r.params.String("default_database_type")
	all := r.mentions
	r.mentions = nil
	for _, name := range names {
		if !strings.Contains(name, ":") {
			name = typ + ":" + name
		}
		found := selectMentions(all, name)
		if len(found) == 0 {
			found = selectMentions(all, proxyPrefix+name)
		}
		if len(found) == 0 {
			s := r.scanner(r.params)
			s.found = func(m mention) { found = append(found, m) }
			s.table(name, mention{set: true, traits: traits{Alias: strings.Contains(name, "aliases")}}, 0)
		}
		r.mentions = append(r.mentions, found...)
	}
}

// selectMentions returns the mentions of a table, and of the tables that it is made of.
func selectMentions(all []mention, spec string) (found []mention) {
	for i := range all {
		m := all[i]
		if m.set && (m.spec == spec || m.inside == spec) {
			found = append(found, m)
		}
	}
	return found
}

// addApproved adds the tables that a list names of which main.cf or master.cf says nothing else: nothing uses them, or
// only the default of a parameter does.
func (r *run) addApproved() {
	named := map[string]bool{}
	for _, m := range r.mentions {
		if m.set && !m.worker {
			named[m.asked+"\x00"+stripProxy(m.spec)] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.servers)) {
		s := r.servers[name]
		if !s.params.IsSet(s.parameter) {
			continue
		}
		for _, table := range slices.Sorted(maps.Keys(s.approved)) {
			if !named[name+"\x00"+table] {
				r.mentions = append(r.mentions, mention{
					spec: proxyPrefix + table, where: s.parameter, set: true, asked: name, traits: traits{Write: s.parameter == writeList},
				})
			}
		}
	}
}

// group makes a row for each table that main.cf or master.cf names.
func (r *run) group() {
	byKey := map[string]*task{}
	for _, m := range r.mentions {
		if !m.set {
			continue
		}
		key := fmt.Sprintf("%s\x00%s\x00%v", m.spec, m.asked, m.Write)
		t := byKey[key]
		if t == nil {
			t = r.task(m)
			byKey[key] = t
			r.tasks = append(r.tasks, t)
			r.rows = append(r.rows, t.row)
		}
		t.Secret = t.Secret || m.Secret
		t.Alias = t.Alias || m.Alias
		if m.where != "" && !slices.Contains(t.row.UsedBy, m.where) {
			t.row.UsedBy = append(t.row.UsedBy, m.where)
		}
		if m.inside != "" {
			t.inside = append(t.inside, m.inside)
		}
	}
}

// task prepares the trial of a table.
func (r *run) task(m mention) *task {
	t := &task{
		job: job{traits: m.traits, Spec: stripProxy(m.spec), List: m.list},
		row: &Row{Table: oneLine(m.spec), UsedBy: []string{}, Service: m.asked, Findings: []Finding{}, spec: m.spec},
	}
	switch {
	case m.asked != "":
		s := r.server(m.asked)
		t.identity, t.err = s.identity, s.err
		if !m.worker && !s.approves(t.Spec) {
			t.row.find(newFinding(kindApproval, fmt.Sprintf("service %s does not approve it: add %s to %s", s.name, oneLine(m.spec), s.parameter)))
		}
	case m.Write:
		// Whoever keeps a cache opens it with the rights of the mail system's owner.
		var owner string
		if owner, t.err = r.params.String("mail_owner"); t.err == nil {
			t.identity, t.err = identityOf(owner)
		}
	}
	t.row.User = t.identity.User
	if t.row.User == "" || os.Geteuid() != 0 {
		t.row.User = userName(os.Geteuid())
	}
	return t
}

// try tries all tables, those with the same identity together.
func (r *run) try() {
	var order []string
	groups := map[string][]*task{}
	for _, t := range r.tasks {
		if t.err != nil {
			t.row.find(newFinding(kindUnchecked, t.err.Error()))
			continue
		}
		key := t.identity.key()
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], t)
	}
	for _, key := range order {
		r.tryTogether(groups[key])
	}
	r.blameMembers()
}

func (r *run) tryTogether(list []*task) {
	jobs := make([]job, len(list))
	for i, t := range list {
		jobs[i] = t.job
	}
	id := list[0].identity
	results, err := probeAs(r.dir, id, r.drivers, jobs)
	for i, t := range list {
		if err != nil {
			t.row.find(newFinding(kindUnchecked, err.Error()))
			continue
		}
		t.row.Sample = results[i].Sample
		for _, f := range results[i].Findings {
			switch {
			case f.Kind == kindFile && results[i].Denied && os.Geteuid() != 0 && t.row.User != id.User:
				f.Kind = kindUnchecked // the service has other rights
			case f.Kind == kindFile && id.Root != "":
				f.Text += " (in the chroot jail " + id.Root + ")"
			}
			t.row.find(f)
		}
	}
}

// blameMembers replaces the complaints of a table that is made of others by the names of those that are to blame.
func (r *run) blameMembers() {
	for _, t := range slices.Backward(r.tasks) { // members stand behind what they are members of
		if t.row.state() != stateProblem {
			continue
		}
		for _, o := range r.tasks {
			if slices.Contains(t.inside, o.row.spec) {
				o.row.blame(t.row.Table)
			}
		}
	}
}
