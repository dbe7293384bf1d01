package test

import (
	"encoding/json"
	"slices"
	"strings"
)

// complaints are what postmap --check says rightly of the shapes, apart from tables that a build cannot read. Each is
// the table as the shape has it, or the start of its name and a star for one or more of several, and a part of the
// complaint.
var complaints = map[string][][2]string{
	"01-many-mysql-maps-unix-socket": {{"hash:/srv/mta/sni", "open certificate-of-mail: No such file or directory"}},
	"08-lmdb-then-proxied-ldap":      {{"proxy:ldap:/opt/mta/conf/dir-*", "Connection refused"}}, // one server of two; once it is known to be down it is not asked
	"10-socketmap-to-http":           {{"lmdb:/dev/shm/postfix/smtp_scache", "user postfix cannot write"}},
}

// testCheck runs postmap --check while the servers are there: it finds the tables that the shape names, and nothing to
// complain about that is not in the list.
func (r *realSite) testCheck(tables []string) {
	r.Helper()
	got := r.pf.Postmap(ours.postmap(r.T), "--check", "--json")
	var report struct {
		Tables []struct {
			Table, State string
			Findings     []struct{ Text string }
		}
		Configuration []struct{ Text string }
	}
	if err := json.Unmarshal([]byte(got.Stdout), &report); err != nil {
		r.Errorf("postmap --check: %+v: %v", got, err)
		return
	}
	want := complaints[r.shape.name]
	said := make([]bool, len(want))
	checked := map[string]bool{}
	for _, row := range report.Tables {
		checked[row.Table] = true
		for _, f := range row.Findings {
			at := slices.IndexFunc(want, func(c [2]string) bool {
				name, several := strings.CutSuffix(oneSpace(r.expand(c[0])), "*")
				return (name == row.Table || several && strings.HasPrefix(row.Table, name)) && strings.Contains(f.Text, c[1])
			})
			if at < 0 {
				r.Errorf("postmap --check: %s: %s", row.Table, f.Text)
			} else {
				said[at] = true
			}
		}
	}
	for _, f := range report.Configuration {
		r.Errorf("postmap --check: %s", f.Text)
	}
	for i, c := range want {
		if !said[i] {
			r.Errorf("postmap --check does not say of %s: %s", c[0], c[1])
		}
	}
	for _, table := range tables {
		if !checked[oneSpace(table)] {
			r.Errorf("postmap --check does not look at %s", table)
		}
	}
	for _, secret := range []string{"PLACEHOLDER", ":secret"} {
		if strings.Contains(got.Stdout+got.Stderr, secret) {
			r.Errorf("postmap --check shows %q: %s", secret, got.Stdout)
		}
	}
}
