package explain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/explain"
	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postfixtest.RemoveTemplates()
	os.Exit(code)
}

// flags are those that postmap(1) opens tables with.
const flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// bench is a directory with tables.
type bench struct {
	*testing.T
	dir string
	env *maptypes.Env

	mu  sync.Mutex
	log []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t}
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b.dir = dir
	b.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(all.Drivers()...),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    b.logf, Warnf: b.logf, Errorf: b.logf,
		UTF8: true,
	}
	return b
}

func (b *bench) logf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, fmt.Sprintf(format, args...))
}

func (b *bench) write(name, text string) (path string) {
	b.Helper()
	path = filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

// build makes a table of an indexed type.
func (b *bench) build(spec string, entries map[string]string) {
	b.Helper()
	build, err := b.env.Registry.Create(b.env, spec, flags)
	if err != nil {
		b.Fatal(err)
	}
	for key, value := range entries {
		if err := build.Add(context.Background(), &maptypes.Request{Key: []byte(key), Value: []byte(value), Flags: build.Flags()}); err != nil {
			b.Fatal(err)
		}
	}
	if err := build.Commit(); err != nil {
		b.Fatal(err)
	}
}

// tables returns the tables with the given names.
func (b *bench) tables(specs ...string) explain.Tables {
	handles := map[int]*maptypes.Handle{}
	b.Cleanup(func() {
		for _, h := range handles {
			h.Close()
		}
	})
	return explain.Tables{Specs: specs, Open: func(i int) (*maptypes.Handle, error) {
		if handles[i] == nil {
			h, err := b.env.Registry.Open(b.env, specs[i], maptypes.ReadOnly, flags)
			if err != nil {
				return nil, err
			}
			handles[i] = h
		}
		return handles[i], nil
	}}
}

// times are what differs from run to run.
var times = regexp.MustCompile(` +[0-9]+\.[0-9]{3} ms\n`)

// plain explains one key, and returns the text without times, with DIR for the directory.
func (b *bench) plain(key string, specs ...string) string {
	b.Helper()
	return b.ask(b.tables(specs...), key)
}

func (b *bench) ask(tables explain.Tables, key string) string {
	b.Helper()
	report, err := explain.Plain(context.Background(), tables, key)
	if err != nil {
		b.Fatal(err)
	}
	return b.text(report)
}

func (b *bench) text(report *explain.Report) string {
	b.Helper()
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		b.Fatal(err)
	}
	return strings.ReplaceAll(times.ReplaceAllString(text.String(), "\n"), b.dir, "DIR")
}

// want compares a text with what it should be; the first line of which is empty.
func (b *bench) want(got, want string) {
	b.Helper()
	if want = strings.TrimPrefix(want, "\n"); got != want {
		b.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSourceFile(t *testing.T) {
	b := newBench(t)
	path := b.write("t", "# comment\nBob@Example.com\tbox\nother x\nbob@example.com again\nStraße s\n")
	b.want(b.plain("BOB@example.COM", "texthash:"+path), `
texthash:DIR/t: lookup of "BOB@example.COM" -> found "box"
  UTF-8 mode: key folded to "bob@example.com"
  key "bob@example.com" among 3 in memory -> entry "box"
  the entry is at DIR/t:2
  another entry is at DIR/t:4 -> ignored
Found in: texthash:DIR/t
Result: "box"
`)
	b.want(b.plain("a\xff\n", "texthash:"+path, "static:y"), `
texthash:DIR/t: lookup of "a\xff\n" -> not found
  UTF-8 mode: the key is not valid: malformed UTF-8 or invalid codepoint -> the table is not asked
static:y: lookup of "a\xff\n" -> not found
  UTF-8 mode: the key is not valid: malformed UTF-8 or invalid codepoint -> the table is not asked
Result: not found
`)
	b.env.UTF8 = false
	b.want(b.plain("É", "texthash:"+path), `
texthash:DIR/t: lookup of "É" -> not found
  UTF-8 is off (smtputf8_enable = no, or the table was opened without): key folded, which changes nothing
  key "É" among 3 in memory -> no such key
Result: not found
`)
}

func TestIndexedFiles(t *testing.T) {
	b := newBench(t)
	types := []string{"cdb", "bolt"}
	if withCgo {
		types = append(types, "lmdb")
	}
	for _, typ := range types {
		b.build(typ+":"+b.dir+"/t", map[string]string{"bob": "x"})
	}
	b.want(b.plain("Bob", "cdb:"+b.dir+"/t"), `
cdb:DIR/t: lookup of "Bob" -> found "x"
  UTF-8 mode: key folded to "bob"
  key "bob" with trailing NUL -> no such key
  key "bob" without trailing NUL -> entry "x"
Found in: cdb:DIR/t
Result: "x"
`)
	if withCgo {
		b.want(b.plain("bob", "lmdb:"+b.dir+"/t"), `
lmdb:DIR/t: lookup of "bob" -> found "x"
  UTF-8 mode: key folded, which changes nothing
  key "bob" with trailing NUL -> entry "x\x00"
Found in: lmdb:DIR/t
Result: "x"
`)
	}
	b.want(b.plain("eve", "bolt:"+b.dir+"/t"), `
bolt:DIR/t: lookup of "eve" -> not found
  UTF-8 mode: key folded, which changes nothing
  key "eve" with trailing NUL -> no such key
  key "eve" without trailing NUL -> no such key
Result: not found
`)
}

func TestPatterns(t *testing.T) {
	b := newBench(t)
	re := b.write("re", "/nothing/ no\nif !/@inside/\n/^(b[^@]*)@(.*)$/\n  ${1} at $2\nendif\n/inside/ in\n")
	for _, typ := range []string{"regexp", "pcre"} {
		b.want(b.plain("bob@Example.com", typ+":"+re), strings.ReplaceAll(`
TYPE:DIR/re: lookup of "bob@Example.com" -> found "bob at Example.com"
  UTF-8 mode: key not folded: tables of patterns get it as it is
  rule at DIR/re:2: if !/@inside/ -> holds
  rule at DIR/re:3: /^(b[^@]*)@(.*)$/  ${1} at $2 -> matches, $1="bob" $2="Example.com"
Found in: TYPE:DIR/re
Result: "bob at Example.com"
`, "TYPE", typ))
		b.want(b.plain("bob@inside", typ+":"+re), strings.ReplaceAll(`
TYPE:DIR/re: lookup of "bob@inside" -> found "in"
  UTF-8 mode: key not folded: tables of patterns get it as it is
  rule at DIR/re:2: if !/@inside/ -> does not hold: skipped to its endif
  rule at DIR/re:6: /inside/ in -> matches
Found in: TYPE:DIR/re
Result: "in"
`, "TYPE", typ))
		b.want(b.plain("x", typ+":{{/y/ z}}"), strings.ReplaceAll(`
TYPE:{{/y/ z}}: lookup of "x" -> not found
  UTF-8 mode: key not folded: tables of patterns get it as it is
  no rule of 1 has a result for the key
Result: not found
`, "TYPE", typ))
	}
	networks := b.write("net", "!10.0.0.0/8 outside\nif 10.1.0.0/16\n10.2.0.0/16 never\nendif\n10.2.3.0/24 lan\n10.0.0.0/8 wan\n::1 six\n")
	b.want(b.plain("10.2.3.4", "cidr:"+networks), `
cidr:DIR/net: lookup of "10.2.3.4" -> found "lan"
  UTF-8 mode: key not folded: tables of patterns get it as it is
  rule at DIR/net:2: if 10.1.0.0/16 -> does not hold: skipped to its endif
  rule at DIR/net:5: 10.2.3.0/24 lan -> matches
Found in: cidr:DIR/net
Result: "lan"
`)
	b.want(b.plain("10.1.3.4", "cidr:"+networks), `
cidr:DIR/net: lookup of "10.1.3.4" -> found "wan"
  UTF-8 mode: key not folded: tables of patterns get it as it is
  rule at DIR/net:2: if 10.1.0.0/16 -> holds
  rule at DIR/net:6: 10.0.0.0/8 wan -> matches
Found in: cidr:DIR/net
Result: "wan"
`)
	b.want(b.plain("192.0.2.1", "cidr:"+networks), `
cidr:DIR/net: lookup of "192.0.2.1" -> found "outside"
  UTF-8 mode: key not folded: tables of patterns get it as it is
  rule at DIR/net:1: !10.0.0.0/8 outside -> matches
Found in: cidr:DIR/net
Result: "outside"
`)
	b.want(b.plain("mail.example", "cidr:"+networks), `
cidr:DIR/net: lookup of "mail.example" -> not found
  UTF-8 mode: key not folded: tables of patterns get it as it is
  the key is no address -> not found
Result: not found
`)
}

func TestMembers(t *testing.T) {
	b := newBench(t)
	b.want(b.plain("a", "pipemap:{inline:{a=b},unionmap:{inline:{b=c},inline:{x=y},static:d}}"), `
pipemap:{inline:{a=b},unionmap:{inline:{b=c},inline:{x=y},static:d}}: lookup of "a" -> found "c,d"
  UTF-8 mode: key folded, which changes nothing
  inline:{a=b}: lookup of "a" -> found "b"
    UTF-8 mode: key folded, which changes nothing
    key "a" among 1 in memory -> entry "b"
  unionmap:{inline:{b=c},inline:{x=y},static:d}: lookup of "b" -> found "c,d"
    UTF-8 mode: key folded, which changes nothing
    inline:{b=c}: lookup of "b" -> found "c"
      UTF-8 mode: key folded, which changes nothing
      key "b" among 1 in memory -> entry "c"
    inline:{x=y}: lookup of "b" -> not found
      UTF-8 mode: key folded, which changes nothing
      key "b" among 1 in memory -> no such key
    static:d: lookup of "b" -> found "d"
      UTF-8 mode: key folded, which changes nothing
      the name of the table is the value of every key
Found in: pipemap:{inline:{a=b},unionmap:{inline:{b=c},inline:{x=y},static:d}}
Result: "c,d"
`)
	b.want(b.plain("a", "debug:randmap:{only}"), `
debug:randmap:{only}: lookup of "a" -> found "only"
  UTF-8 mode: key not folded: tables of patterns get it as it is
  randmap:{only}: lookup of "a" -> found "only"
    UTF-8 mode: key not folded: not asked for, or done already
    value 1 of 1, chosen at random
Found in: debug:randmap:{only}
Result: "only"
`)
	b.want(b.plain("a", "unionmap:{inline:{a=b},fail:x,static:never}"), `
unionmap:{inline:{a=b},fail:x,static:never}: lookup of "a" -> temporary error
  UTF-8 mode: key folded, which changes nothing
  inline:{a=b}: lookup of "a" -> found "b"
    UTF-8 mode: key folded, which changes nothing
    key "a" among 1 in memory -> entry "b"
  fail:x: lookup of "a" -> temporary error
    UTF-8 mode: key not folded: tables of patterns get it as it is
Result: temporary error
`)
}

// TestAddress goes through an address lookup in a table of fixed strings and in one of patterns.
func TestAddress(t *testing.T) {
	b := newBench(t)
	params := map[string]string{"recipient_delimiter": "+", "myorigin": "here.example", "mydestination": "here.example"}
	settings := explain.Settings{Env: b.env, Param: func(name string) (string, bool) { value, ok := params[name]; return value, ok }}
	plan, err := explain.NewPlan(explain.Virtual, "bob+x@far.example", settings)
	if err != nil {
		t.Fatal(err)
	}
	report, err := explain.Address(context.Background(), b.tables("static:every", "inline:{@far.example=all}"), explain.Virtual, "bob+x@far.example", plan)
	if err != nil {
		t.Fatal(err)
	}
	b.want(b.text(report), `
"bob+x@far.example" as virtual(5)
  note: recipient_delimiter = +: "+x" is an address extension
  note: far.example is not local ($myorigin, $mydestination, $inet_interfaces, $proxy_interfaces): the user alone is not looked up
key "bob+x@far.example" (whole address)
  static:every: lookup of "bob+x@far.example" -> found "every"
    UTF-8 mode: key folded, which changes nothing
    the name of the table is the value of every key
Found by: key "bob+x@far.example" in static:every
Result: "every"
`)
	report, err = explain.Address(context.Background(), b.tables("regexp:{{/^bob@/ pattern}}", "inline:{@far.example=all}"), explain.Virtual, "bob+x@far.example", plan)
	if err != nil {
		t.Fatal(err)
	}
	b.want(b.text(report), `
"bob+x@far.example" as virtual(5)
  note: recipient_delimiter = +: "+x" is an address extension
  note: far.example is not local ($myorigin, $mydestination, $inet_interfaces, $proxy_interfaces): the user alone is not looked up
key "bob+x@far.example" (whole address)
  regexp:{{/^bob@/ pattern}}: lookup of "bob+x@far.example" -> not found
    UTF-8 mode: key not folded: tables of patterns get it as it is
    no rule of 1 has a result for the key
  inline:{@far.example=all}: lookup of "bob+x@far.example" -> not found
    UTF-8 mode: key folded, which changes nothing
    key "bob+x@far.example" among 1 in memory -> no such key
key "bob@far.example" (without extension)
  regexp:{{/^bob@/ pattern}}: not asked: a table of patterns is asked for whole addresses only
  inline:{@far.example=all}: lookup of "bob@far.example" -> not found
    UTF-8 mode: key folded, which changes nothing
    key "bob@far.example" among 1 in memory -> no such key
key "@far.example" (the whole domain)
  regexp:{{/^bob@/ pattern}}: not asked: a table of patterns is asked for whole addresses only
  inline:{@far.example=all}: lookup of "@far.example" -> found "all"
    UTF-8 mode: key folded, which changes nothing
    key "@far.example" among 1 in memory -> entry "all"
Found by: key "@far.example" in inline:{@far.example=all}
Result: "all"
`)
	params["mydestination"] = "fail:x"
	plan, err = explain.NewPlan(explain.Canonical, "bob@far.example", settings)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(plan.Notes, "\n"); !strings.Contains(got, "assumed that far.example is not in mydestination") {
		t.Errorf("notes: %s", got)
	}
	if _, err := explain.NewPlan("alias", "bob", settings); err == nil {
		t.Error("there is no alias(5) way")
	}
}

// TestJSON reads a report as a script would.
func TestJSON(t *testing.T) {
	b := newBench(t)
	report, err := explain.Plain(context.Background(), b.tables("inline:{a=<b>}"), "a")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), `"value":"<b>"`) || strings.Count(text.String(), "\n") != 1 {
		t.Errorf("%s", &text)
	}
	var got explain.Report
	if err := json.Unmarshal([]byte(text.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Key != "a" || got.Outcome != explain.Found || *got.Value != "<b>" || got.FoundIn != "inline:{a=<b>}" || len(got.Lookups) != 1 || len(got.Lookups[0].Steps) != 3 {
		t.Errorf("%+v", got)
	}
}
