package test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// TestRealConfigs runs our master and worker with the configurations of real mail servers, whose servers and tables are
// brought to life with a few rows. Every table that a configuration names must answer: those behind proxy: through the
// approval that the configuration itself gives, to our postmap and to Postfix's; the others to both without proxy:, and
// through proxy: after they have been approved.
func TestRealConfigs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(realConfigs, "*.cf"))
	if err != nil || len(files) < 10 {
		t.Fatalf("configurations: %q, %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".cf")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newRealSite(t, name).test()
		})
	}
}

// realSite is a shape that runs.
type realSite struct {
	*testing.T
	shape     *realShape
	pf        *postfixtest.Instance
	addresses []string // pairs: in the shape, of the private server

	certificate, certFile, keyFile string

	dead  []string // addresses at which nobody listens; it is all right to warn about them
	cache int      // port of memcached
}

func newRealSite(t *testing.T, name string) *realSite {
	t.Helper()
	testenv.Require(t, testenv.Root, testenv.Postfix)
	r := &realSite{T: t, shape: readShape(t, name), pf: postfixtest.New(t, ours.worker(t))}
	r.makeKeys()
	for _, part := range r.shape.servers {
		r.startServer(part)
	}
	for _, row := range r.shape.updates {
		if _, path, ok := strings.Cut(strings.TrimPrefix(r.expand(row[0]), "proxy:"), ":"); ok {
			r.mkdirs(filepath.Dir(path))
		}
	}
	for path, text := range r.shape.files {
		r.write(r.place(path), r.fill(text))
	}
	for _, setting := range logicalSettings(r.shape.main) {
		r.pf.SetMain(setting.name, strings.TrimSpace(r.fill(setting.value)))
	}
	master := r.shape.master
	if len(master) == 0 { // the shape has none, which means Debian's own
		master = []string{"proxymap unix - - n - - proxymap"}
	}
	if !slices.ContainsFunc(master, func(line string) bool { return strings.HasPrefix(line, "proxywrite ") }) {
		master = append(slices.Clone(master), "proxywrite unix - - n - 1 proxymap")
	}
	r.pf.SetMaster(strings.Split(r.fill(strings.Join(master, "\n")), "\n")...)
	return r
}

func (r *realSite) makeKeys() {
	r.Helper()
	certificate, key := makeCertificate(r.T)
	r.certificate = certificate
	r.certFile = r.pf.WriteFile("server.crt", certificate)
	r.keyFile = r.pf.WriteFile("server.key", key) // readable for the users that servers run as
}

// place moves a path of the shape into the instance.
func (r *realSite) place(text string) string { return privatePaths(text, r.pf.Tables) }

// fill makes a text of the shape one of the instance: private paths, private addresses.
func (r *realSite) fill(text string) string {
	return strings.NewReplacer(r.addresses...).Replace(r.place(text))
}

func (r *realSite) write(path, text string) {
	r.Helper()
	r.mkdirs(filepath.Dir(path))
	r.pf.WriteFile(path, text)
}

// mkdirs makes a directory below Tables, and those above it, for the mail owner.
func (r *realSite) mkdirs(dir string) {
	r.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	r.mkdirs(filepath.Dir(dir))
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		err = os.Chown(dir, r.pf.UID, r.pf.GID)
	}
	if err != nil {
		r.Fatal(err)
	}
}

func (r *realSite) test() {
	tables := r.named()
	r.build(tables)
	r.testCheck(tables)
	r.pf.Start(ours.master(r.T))
	r.testLookups(tables)
	if len(r.shape.updates) > 0 {
		r.testUpdates(tables)
	}
	checkPrograms(r.T, r.pf, ours, ours)
	noTrouble(r.T, r.pf, append(r.dead, "set non_bdb_migration_level = enable-redirect")...)
	asked := map[string]bool{}
	for _, row := range slices.Concat(r.shape.lookups, r.shape.updates) {
		asked[r.actual(tables, row[0])] = true
	}
	for _, table := range tables {
		if !asked[table] {
			r.Errorf("nothing is looked up in %s", table)
		}
	}
}

// testLookups asks what the configuration approves, and then approves the other tables and asks those.
func (r *realSite) testLookups(tables []string) {
	r.Helper()
	var direct []string
	for _, row := range r.shape.lookups {
		table := r.actual(tables, row[0])
		r.look(strings.TrimPrefix(table, "proxy:"), row)
		if strings.HasPrefix(table, "proxy:") {
			r.look(table, row)
		} else {
			direct = append(direct, "proxy:"+table)
		}
	}
	if len(direct) == 0 {
		return
	}
	r.pf.SetMain("proxy_read_maps", strings.Join(direct, " "))
	r.pf.Reload()
	for _, row := range r.shape.lookups {
		if table := r.actual(tables, row[0]); !strings.HasPrefix(table, "proxy:") {
			r.look("proxy:"+table, row)
		}
	}
}

// testUpdates writes into the caches. What the configuration approves for writing is approved for reading as well, so
// that postmap can look at it.
func (r *realSite) testUpdates(tables []string) {
	r.Helper()
	native := r.canWriteBerkeleyDB()
	if !native {
		for _, name := range []string{"default_cache_db_type", "default_database_type"} {
			r.pf.SetMain(name, "lmdb")
		}
		r.pf.SetMain("non_bdb_migration_level", "enable-redirect")
		r.pf.SetMain("non_bdb_migration_log_redirect", "no")
	}
	approved := "$proxy_write_maps"
	for _, row := range r.shape.updates {
		approved += " proxy:" + strings.TrimPrefix(r.actual(tables, row[0]), "proxy:")
	}
	r.pf.SetMain("proxy_read_maps", approved)
	r.pf.Reload()
	for _, row := range r.shape.updates {
		table := r.actual(tables, row[0])
		if got := r.pf.Run(row[1]+" "+row[2]+"\n", ours.postmap(r.T), "-i", table); got.Exit != 0 || got.Stderr != "" {
			r.Errorf("postmap -i %s: %+v", table, got)
		}
		r.look(table, row)
		if file, ok := strings.CutPrefix(table, "proxy:"); ok {
			if !native {
				file = strings.Replace(file, "btree:", "lmdb:", 1)
			}
			r.postmap(theirs, file, row) // it is on the disk
			continue
		}
		r.look("proxy:"+table, row)
		if r.cache != 0 {
			r.flushCache()
			r.look(table, row) // from the backup
		}
	}
}

// flushCache makes memcached forget everything.
func (r *realSite) flushCache() {
	r.Helper()
	conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", r.cache))
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close()
	reply := make([]byte, 4)
	if _, err = conn.Write([]byte("flush_all\r\n")); err == nil {
		_, err = io.ReadFull(conn, reply)
	}
	if err != nil || string(reply) != "OK\r\n" {
		r.Fatalf("flush_all: %q, %v", reply, err)
	}
}

// canWriteBerkeleyDB reports whether this build writes hash and btree files. One that does not is told to use lmdb files
// instead, as its own message says.
func (r *realSite) canWriteBerkeleyDB() bool {
	r.Helper()
	got := r.pf.Postmap(ours.postmap(r.T), "btree:"+r.pf.WriteFile("probe", "key value\n"))
	if got.Exit != 0 && !strings.Contains(got.Stderr, "set non_bdb_migration_level = enable-redirect") {
		r.Fatalf("postmap btree: %+v", got)
	}
	return got.Exit == 0
}

// expand makes a table name of the shape's list one of the instance.
func (r *realSite) expand(name string) string {
	return strings.ReplaceAll(r.fill(name), "$data_directory", r.pf.Data)
}

// actual returns the table as main.cf has it, which may be written over several lines. A table that the configuration
// does not name belongs to a variant of it.
func (r *realSite) actual(tables []string, name string) string {
	name = r.expand(name)
	for _, table := range tables {
		if oneSpace(table) == name {
			return table
		}
	}
	return name
}

var tableName = regexp.MustCompile(`^[a-z]+:\S`)

// named returns all tables that main.cf and the -o options of master.cf name.
func (r *realSite) named() (tables []string) {
	r.Helper()
	p, err := config.Load(r.pf.Conf, nil)
	if err != nil {
		r.Fatal(err)
	}
	var values []string
	for _, setting := range logicalSettings(r.shape.main) {
		values = append(values, "$"+setting.name)
	}
	services, warnings, err := config.LoadMaster(r.pf.Conf, p)
	if err != nil || len(warnings) > 0 {
		r.Fatalf("master.cf: %v, %q", err, warnings)
	}
	for _, service := range services {
		for i, arg := range service.Args {
			if _, value, ok := strings.Cut(arg, "="); ok && i > 0 && service.Args[i-1] == "-o" {
				values = append(values, value)
			}
		}
	}
	for _, value := range values {
		text, err := p.Eval(value)
		if err != nil {
			r.Fatal(err)
		}
		tables = append(tables, r.tablesIn(text)...)
	}
	slices.Sort(tables)
	return slices.Compact(tables)
}

func (r *realSite) tablesIn(text string) (tables []string) {
	for {
		word, rest, ok := textfile.NextWord(text, textfile.CommaSpace)
		if !ok {
			return tables
		}
		fragment := slices.ContainsFunc(r.shape.noTables, func(name string) bool { return r.expand(name) == word })
		if tableName.MatchString(word) && !fragment {
			tables = append(tables, word)
		}
		text = rest
	}
}

// build makes the indexed files that have a source text, with Postfix's programs: a site has them already.
func (r *realSite) build(tables []string) {
	r.Helper()
	for _, table := range tables {
		kind, path, _ := strings.Cut(table, ":")
		if !slices.Contains([]string{"hash", "btree", "lmdb", "cdb"}, kind) {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			continue
		}
		program := "postmap"
		if strings.HasSuffix(path, "/aliases") {
			program = "postalias"
		}
		if got := r.pf.Run("", postfixtest.PostfixCommand(program), table); got.Exit != 0 {
			r.Fatalf("%s %s: %+v", program, table, got)
		}
	}
}

// look asks with our postmap and with Postfix's. Without proxy: this compares our driver with Postfix's, which shows
// that the test expects the right thing.
func (r *realSite) look(table string, row []string) {
	r.Helper()
	for _, client := range makers {
		r.postmap(client, table, row)
	}
}

// postmap looks up a row's key. The key root of the user database has the answer of the machine.
func (r *realSite) postmap(client maker, table string, row []string) {
	r.Helper()
	got := r.pf.Postmap(client.postmap(r.T), "-q", row[1], table)
	want := postfixtest.Result{Exit: 1}
	switch {
	case len(row) == 3:
		want = postfixtest.Result{Stdout: row[2] + "\n"}
	case row[1] == "root":
		want = r.pf.Postmap(theirs.postmap(r.T), "-q", "root", "unix:passwd.byname")
		if !strings.HasPrefix(want.Stdout, "root:") {
			r.Errorf("the user database has no root: %+v", want)
		}
	}
	for line := range strings.Lines(got.Stderr) {
		if containsAny(line, r.dead) {
			got.Stderr = strings.Replace(got.Stderr, line, "", 1)
		}
	}
	if got != want {
		r.Errorf("%s's postmap -q %q %s: %+v, want %+v", client, row[1], table, got, want)
	}
}
