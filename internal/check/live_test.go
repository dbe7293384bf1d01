package check_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postfixtest.RemoveTemplates()
	os.Exit(code)
}

// TestDatabaseServer tries tables in a server that is there: a good one, with a query that is wrong, and with a password
// that is.
func TestDatabaseServer(t *testing.T) {
	t.Parallel()
	db := postfixtest.StartMariaDB(t)
	db.SQL("CREATE TABLE alias (address VARCHAR(80), goto TEXT)")
	s := newSite(t, "../../testdata/check/good/tables.conf", 1)
	config := func(password, query string) string {
		return fmt.Sprintf("hosts = unix:%s\nuser = %s\npassword = %s\ndbname = mail\nquery = %s\n", db.Socket, db.User, password, query)
	}
	query := "SELECT goto FROM alias WHERE address = '%s'"
	s.write("good.cf", config(db.Password, query)+"domain = example.com")
	s.write("query.cf", config(db.Password, "SELECT goto FROM aliases WHERE address = '%s'")+"domain = example.com")
	s.write("password.cf", config("HunterSecret", query))
	s.never = append(s.never, db.Password)
	got, _ := s.check("mysql:"+s.path("good.cf"), "proxy:mysql:"+s.path("query.cf"), "mysql:"+s.path("password.cf"))
	want := []string{"proxy:mysql:" + s.path("query.cf") + ": problem", "mysql:" + s.path("password.cf") + ": problem"}
	if len(got) != 2 || !strings.HasPrefix(got[0], want[0]) || !strings.Contains(got[0], "Table 'mail.aliases' doesn't exist") ||
		!strings.HasPrefix(got[1], want[1]) || !strings.Contains(got[1], "Access denied for user") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// report is what --json prints.
type report struct {
	Tables []struct {
		Table, State, Service, User string
		UsedBy                      []string `json:"used_by"`
		Findings                    []struct {
			Kind, Text, File string
			Line             int
		}
		Sample *struct {
			Key, Value    string
			Found, Hidden bool
		}
	}
	Allowlists []struct {
		Service, Parameter string
		Lacks, Unused      []string
	}
	Configuration []struct{ Kind, Text string }
	Sum           map[string]int
}

func (s *site) report(args ...string) report {
	s.Helper()
	out, status := s.postmap(append([]string{"--check", "--json"}, args...)...)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != s.status {
		s.Fatalf("status %d, want %d; %v: %s", status, s.status, err, out)
	}
	return r
}

// TestJSON looks at the object that scripts get: samples, users, services, findings with their place.
func TestJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t, "../../testdata/check/good/tables.conf", 0)
	byTable := map[string]int{}
	r := s.report()
	for i, row := range r.Tables {
		byTable[row.Table] = i
	}
	virtual := r.Tables[byTable["cdb:"+s.path("virtual")]]
	if virtual.Sample == nil || virtual.Sample.Key != "ann@example.com" || virtual.Sample.Value != "ben@example.com" || virtual.User != "root" {
		t.Errorf("virtual: %+v %+v", virtual, virtual.Sample)
	}
	more := r.Tables[byTable["proxy:texthash:"+s.path("more")]]
	if more.Service != "proxymap" || more.User != "postfix" || more.State != "ok" || !slices.Contains(more.UsedBy, "virtual_alias_maps") {
		t.Errorf("more: %+v", more)
	}
	relay := r.Tables[byTable["texthash:"+s.path("relay")]]
	if relay.Sample == nil || !relay.Sample.Hidden || relay.Sample.Value != "" {
		t.Errorf("relay: %+v", relay)
	}
	if r.Sum["tables"] != len(r.Tables) || r.Sum["ok"] != len(r.Tables) || r.Sum["problems"] != 0 || len(r.Allowlists) != 2 {
		t.Errorf("sum %v, allowlists %+v", r.Sum, r.Allowlists)
	}

	s = newSite(t, "../../testdata/check/broken/source-syntax.conf", 1)
	r = s.report()
	if f := r.Tables[0].Findings; len(f) != 2 || f[0].Kind != "syntax" || f[0].File != s.path("transport") || f[0].Line != 2 || f[1].Line != 3 {
		t.Errorf("findings: %+v", f)
	}
}

// TestOperands checks only what is named, with what the configuration says of it.
func TestOperands(t *testing.T) {
	t.Parallel()
	s := newSite(t, "../../testdata/check/broken/not-approved.conf", 1)
	approval := ": problem (smtpd_recipient_restrictions): service proxymap does not approve it"
	for _, operand := range []string{"proxy:texthash:" + s.path("access"), "texthash:" + s.path("access")} {
		got, sum := s.check(operand)
		if len(got) != 1 || !strings.HasPrefix(got[0], "proxy:texthash:"+s.path("access")+approval) || !strings.HasPrefix(sum, "1 tables: 0 ok, 1 with") {
			t.Errorf("%s: %q, %s", operand, got, sum)
		}
	}
	s.write("new", "novalue\n\nx y")
	got, _ := s.check("texthash:"+s.path("new"), "nosuch:x")
	if len(got) != 2 || !strings.Contains(got[0], s.path("new")+", line 1: expected format") || !strings.Contains(got[1], "unsupported dictionary type: nosuch") {
		t.Errorf("got %q", got)
	}
	s.status = 0
	if got, sum := s.check("inline:{a=b}"); len(got) > 0 || sum != "1 tables: 1 ok, 0 with problems" {
		t.Errorf("inline: %q, %s", got, sum)
	}
}

// TestUnusableMainCF is the case of status 2 without a report.
func TestUnusableMainCF(t *testing.T) {
	t.Parallel()
	s := newSite(t, "../../testdata/check/good/tables.conf", 2)
	s.write("main.cf", "x_password HunterSecret\n")
	out, status := s.postmap("--check")
	if status != 2 || !strings.Contains(out, "main.cf, line 1: missing '='") || strings.Contains(out, "HunterSecret") {
		t.Errorf("status %d: %s", status, out)
	}
}

// TestOrdinaryUser checks with the rights of somebody who is not the service: what he cannot read is not checked.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	s := newSite(t, "../../testdata/check/broken/unreadable-file.conf", 2)
	program, err := os.ReadFile(filepath.Join(testenv.Bin(t, "postmap"), "postmap"))
	s.must(err)
	s.must(os.WriteFile(s.path("postmap"), program, 0o755))
	nobody, err := user.Lookup("nobody")
	s.must(err)
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	s.must(err)
	cmd := exec.Command(s.path("postmap"), "-c", s.dir, "--check")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	out, _ := cmd.Output()
	line, sum, _ := strings.Cut(string(out), "\n")
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(line, ": unchecked (virtual_alias_maps): ") ||
		!strings.Contains(line, "user nobody cannot read") || !strings.HasPrefix(sum, "1 tables: 0 ok, 0 with problems, 1 could not be checked") {
		t.Errorf("status %d: %s", cmd.ProcessState.ExitCode(), out)
	}
}

// TestNothingIsChanged: a check leaves every file as it is and makes none.
func TestNothingIsChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t, "../../testdata/check/good/tables.conf", 0)
	state := func() (list []string) {
		s.must(filepath.Walk(s.dir, func(path string, info os.FileInfo, err error) error {
			s.must(err)
			list = append(list, fmt.Sprint(path, info.Mode(), info.Size(), info.ModTime()))
			return nil
		}))
		return list
	}
	before := state()
	s.check()
	if after := state(); !slices.Equal(before, after) {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}
