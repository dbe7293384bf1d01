//go:build mongodb

package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/mongodb"
)

// flags are those that postmap(1) opens tables with.
const flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// bench is where the tables of a test are.
type bench struct {
	t   testing.TB
	dir string
	env *maptypes.Env

	mu  sync.Mutex
	log []string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	b.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(mongodb.Driver),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    b.logf, Warnf: b.logf, Errorf: b.logf,
	}
	return b
}

func (b *bench) logf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, fmt.Sprintf(format, args...))
}

func (b *bench) takeLog() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.log
	b.log = nil
	return log
}

func (b *bench) try(settings string) (*maptypes.Handle, error) {
	b.t.Helper()
	path := filepath.Join(b.dir, "t.cf")
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.env.Registry.Open(b.env, "mongodb:"+path, maptypes.ReadOnly, flags)
}

func (b *bench) open(s *server, settings string) *maptypes.Handle {
	b.t.Helper()
	h, err := b.try("uri = mongodb://" + s.address + "/?directConnection=true\ndbname = mail\ncollection = users\n" + settings)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { h.Close() })
	return h
}

// get looks a key up and returns the value, or "-" when it is not found.
func get(h *maptypes.Handle, key string) (string, error) {
	value, err := h.Lookup(context.Background(), &maptypes.Request{Key: []byte(key), Flags: h.Flags()})
	if err == maptypes.ErrNotFound {
		return "-", nil
	}
	return string(value), err
}

func (b *bench) want(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	if got, err := get(h, key); got != value || err != nil {
		b.t.Errorf("lookup of %q: %q %v, want %q", key, got, err, value)
	}
}

func (b *bench) wantRetry(h *maptypes.Handle, key, text string) {
	b.t.Helper()
	got, err := get(h, key)
	if maptypes.Class(err) != maptypes.ErrRetry || !strings.Contains(err.Error(), text) {
		b.t.Errorf("lookup of %q: %q %v, want a retry with %q", key, got, err, text)
	}
}

func (b *bench) eventually(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, err := get(h, key)
		if err == nil && got == value {
			return
		}
		if maptypes.Class(err) != maptypes.ErrRetry || time.Now().After(deadline) {
			b.t.Fatalf("lookup of %q: %q %v, want %q", key, got, err, value)
		}
	}
}

const byName = "query_filter = {\"name\": \"%s\"}\nresult_attribute = v\n"

func TestValues(t *testing.T) {
	t.Parallel()
	s := newServer(t,
		doc("_id", bson.NewObjectID(), "name", "a", "v", "x", "w", "y"),
		doc("name", "int", "v", int32(-5), "w", int64(1)<<40),
		doc("name", "list", "v", bson.A{"a@b", int32(7), bson.A{"deep"}, "@c"}, "w", "last"),
		doc("name", "empty", "v", ""),
		doc("name", "odd", "v", true, "w", "y"),
		doc("name", "twice", "v", "first"), doc("name", "twice", "v", "second"),
		doc("name", "gone", "v", "first"), doc("name", "gone", "w", "second"),
		doc("name", "bad", "v", "\xff"),
	)
	both := "query_filter = {\"name\": \"%s\"}\nresult_attribute = v, w\n"
	for _, c := range []struct{ settings, key, want string }{
		{byName, "a", "x"},
		{byName, "A", "-"},
		{byName, "nobody", "-"},
		{both, "a", "x,y"},
		{both, "int", "-5,1099511627776"},
		{both, "list", "a@b,7,deep,@c,last"},
		{both + "result_format = <%u>\n", "list", "<a>,<7>,<deep>,<last>"},
		{both + "expansion_limit = 5\n", "list", "a@b,7,deep,@c,last"},
		{both + "expansion_limit = 4\n", "list", "RETRY : expansion limit exceeded for key: 'list'"},
		{byName, "empty", "-"},
		{both, "odd", "y"},
		{byName, "twice", "second"},
		{byName, "gone", "-"},
		{byName, "bad", "RETRY : invalid UTF-8 in lookup result '\xff'"},
		{"query_filter = {\"name\": \"%s\"}\nprojection = {\"w\": 1}\n", "a", "y"},
		{byName + "domain = example.com\n", "a", "-"},
		{"query_filter = {\"name\": \"%u\"}\nresult_attribute = v\n", "a@example.com", "x"},
		{"query_filter = {\"name\": \"%1\"}\nresult_attribute = v\n", "b@c.a", "x"},
		{"query_filter = {\"name\": %s}\nresult_attribute = v\n", "{\"$ne\": 1}", "RETRY : failed to create a query from '{\"name\": {\\\"$ne\\\": 1}}': "},
	} {
		b := newBench(t)
		h := b.open(s, c.settings)
		if text, ok := strings.CutPrefix(c.want, "RETRY "); ok {
			b.wantRetry(h, c.key, text)
		} else {
			b.want(h, c.key, c.want)
		}
		log := strings.Join(b.takeLog(), "\n")
		want := map[string]string{
			"odd":   ": failed to retrieve value of 'v', Unknown result type 8.",
			"empty": `: empty lookup result for: "empty" -- ignored`,
		}[c.key]
		if !strings.HasSuffix(log, want) || want == "" && log != "" {
			t.Errorf("%s: log %q", c.key, log)
		}
	}
}

// TestFind looks at what the server is asked, with keys that try to be more than
// a string.
func TestFind(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	h := b.open(s, "query_filter = {\"$or\": [{\"name\": \"%s\"}, {\"alias.d\": \"%d\"}], \"active\": 1}\nresult_attribute = v w\n")
	for _, local := range []string{"joe", `", "x": "`, `\`, `\"`, `"}, {"$where": "1`, "tab\t\r\n\x01\x7f", "$ne", "é", "{}"} {
		key := local + "@example.com"
		b.want(h, key, "-")
		finds := s.takeFinds()
		if len(finds) != 1 {
			t.Fatalf("%q: %d queries", key, len(finds))
		}
		asked := finds[0]
		got := doc("find", member(asked, "find"), "$db", member(asked, "$db"), "filter", member(asked, "filter"), "projection", member(asked, "projection"))
		want := doc("find", "users", "$db", "mail",
			"filter", doc("$or", bson.A{doc("name", key), doc("alias.d", "example.com")}, "active", int32(1)),
			"projection", doc("v", int32(1), "w", int32(1), "_id", int32(0)))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: asked %s, want %s", key, got, want)
		}
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const rest = "dbname = mail\ncollection = users\nquery_filter = {\"name\": \"%s\"}\n"
	for settings, want := range map[string]string{
		rest + "result_attribute = v\n":                                              "F: bad string length 0 < 1: uri = ",
		"uri = mongodb://x\n" + rest:                                                 "mongodb:F: specify exactly one of 'projection' or 'result_attribute'",
		"uri = mongodb://x\n" + rest + "projection = {}\nresult_attribute = v\n":     "mongodb:F: specify exactly one of 'projection' or 'result_attribute'",
		"uri = mongodb://x\n" + rest + "projection = {\n":                            "mongodb:F: failed to create a projection from '{': invalid JSON input",
		"uri = mongodb://x\n" + rest + "result_attribute = v\nexpansion_limit = 101": "F: invalid expansion_limit parameter value 101 > 100",
		"uri = mongodb://x\n" + rest + "result_attribute = v\nexpansion_limit = -1":  "F: invalid expansion_limit parameter value -1 < 0",
		"uri = mongodb://x\ndbname = d\ncollection = c\nresult_attribute = v\n":      "F: bad string length 0 < 1: query_filter = ",
		"uri = mysql://u:secret@x\n" + rest + "result_attribute = v\n":               "mongodb:F: failed to parse URI: ",
		"uri = mongodb://u:sec%zzret@x\n" + rest + "result_attribute = v\n":          "mongodb:F: failed to parse URI: the error shows the password",
		"uri_file = /no/such\n" + rest + "result_attribute = v\n":                    "F: open uri_file /no/such: No such file or directory",
	} {
		h, err := b.try(settings)
		if err == nil {
			h.Close()
			t.Errorf("%q: opened", settings)
			continue
		}
		got := strings.ReplaceAll(err.Error(), b.dir+"/t.cf", "F")
		if !errors.Is(err, maptypes.ErrConfig) || !strings.HasPrefix(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%q: %s, want %s", settings, got, want)
		}
	}
	if _, err := b.env.Registry.Open(b.env, "mongodb:x", maptypes.ReadWrite, 0); err == nil || err.Error() != "mongodb:x: map requires O_RDONLY access mode" {
		t.Errorf("for writing: %v", err)
	}
}

func TestOutages(t *testing.T) {
	t.Parallel()
	s := newServer(t, doc("name", "a", "v", "x"))
	b := newBench(t)
	h := b.open(s, byName+"lookup_timeout = 1\n")
	b.want(h, "a", "x")

	// An error about one key is about that alone.
	s.mu.Lock()
	s.answer = func(find bson.D) bson.D {
		if member(member(find, "filter").(bson.D), "name") == "poison" {
			return doc("ok", 0.0, "errmsg", "no such thing", "code", 2, "codeName", "BadValue")
		}
		return found(doc("v", "x"))
	}
	s.mu.Unlock()
	for range 5 {
		b.wantRetry(h, "poison", h.Spec()+": query failed: no such thing")
		b.want(h, "a", "x")
	}
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log %q", log)
	}

	// A server that hangs up, or whose answer cannot be read, is not "not found".
	for _, answer := range []func(bson.D) bson.D{
		func(bson.D) bson.D { return nil },
		func(bson.D) bson.D { return doc("ok", 1.0) },
		func(bson.D) bson.D { return doc("ok", 0.0, "errmsg", "going down", "code", 91) },
	} {
		s.mu.Lock()
		s.answer = answer
		s.mu.Unlock()
		b.wantRetry(h, "a", "")
	}
	s.mu.Lock()
	s.answer = nil
	s.mu.Unlock()
	b.eventually(h, "a", "x")
	b.takeLog()

	s.freeze()
	b.wantRetry(h, "a", "")
	b.wantRetry(h, "nobody", "")
	s.thaw()
	b.eventually(h, "a", "x")
	b.eventually(h, "nobody", "-")

	s.kill()
	b.takeLog()
	for range 10 {
		b.wantRetry(h, "nobody", "")
	}
	log := b.takeLog()
	if len(log) == 0 || len(log) > 3 || !strings.HasPrefix(log[0], "connect to mongodb server "+s.address+": ") {
		t.Errorf("log %q", log)
	}
	s.start()
	b.eventually(h, "a", "x")
	b.want(h, "nobody", "-")
}

// TestPasswordIsNotLogged uses a server that wants no password of the kind.
func TestPasswordIsNotLogged(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	h, err := b.try("uri = mongodb://mail:pw-secret@" + s.address + "/?directConnection=true\ndbname = mail\ncollection = users\nlookup_timeout = 1\n" + byName)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	b.wantRetry(h, "a", "")
	if log := strings.Join(b.takeLog(), "\n"); !strings.HasPrefix(log, "connect to mongodb server "+s.address+": ") || strings.Contains(log, "secret") {
		t.Errorf("log %q", log)
	}
}
