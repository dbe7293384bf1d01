package redis_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	s.feed(`SET a x
SET joe@example.com full
SET vmail:joe@example.com box
SET empty ""
SET nul "be\x00hind"
SET "white space" "with blanks"
SET other db0
LPUSH list x
HSET aliases postmaster root@example.com root admin
HSET user:joe mailbox /var/mail/joe quota 5
SELECT 3
SET other db3
`)
	at := "hosts = " + s.address() + "\n"
	for name, c := range map[string]struct{ settings, key, want string }{
		"default":       {"", "a", "x"},
		"missing":       {"", "b", "-"},
		"folded":        {"", "A", "x"},
		"blanks":        {"", "white space", "with blanks"},
		"empty":         {"", "empty", "-"},
		"nul":           {"", "nul", "be"},
		"key format":    {"key_format = vmail:%s\n", "joe@example.com", "box"},
		"no domain":     {"key_format = vmail:%u@%d\n", "joe", "-"},
		"local part":    {"key_format = user:%u\nfield_format = mailbox\n", "joe@example.com", "/var/mail/joe"},
		"hash":          {"key_format = aliases\nfield_format = %s\n", "root", "admin"},
		"no hash":       {"key_format = none\nfield_format = %s\n", "root", "-"},
		"no field":      {"key_format = aliases\nfield_format = %s\n", "toor", "-"},
		"result":        {"result_format = smtp:[%s]\n", "a", "smtp:[x]"},
		"result skip":   {"result_format = %d\n", "a", "-"},
		"domain":        {"domain = example.com\n", "joe@example.com", "full"},
		"other domain":  {"domain = example.org\n", "joe@example.com", "-"},
		"bare key":      {"domain = example.com\n", "a", "-"},
		"db 0":          {"", "other", "db0"},
		"db 3":          {"db = 3\n", "other", "db3"},
		"unix":          {"hosts = unix:" + s.socket() + "\n", "a", "x"},
		"inet":          {"hosts = inet:" + s.address() + "\n", "a", "x"},
		"second server": {"hosts = unix:/no/such, " + s.address() + "\n", "a", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			text := at + c.settings
			if strings.HasPrefix(c.settings, "hosts") {
				text = c.settings
			}
			b.want(b.open("t", text, maptypes.ReadOnly), c.key, c.want)
		})
	}
	b.want(b.open("t", at, maptypes.ReadOnly), "empty", "-")
	if log := b.takeLog(); len(log) != 1 || !strings.HasSuffix(log[0], `: empty lookup result for: "empty" -- ignored`) {
		t.Errorf("log %q", log)
	}
}

// TestPoisonKey checks that an error about one key is about that alone.
func TestPoisonKey(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	s.feed("SET a x\nLPUSH poison x\n")
	h := b.open("t", "hosts = "+s.address()+"\n", maptypes.ReadOnly)
	b.want(h, "a", "x")
	before := s.do("INFO", "stats")
	for range 100 {
		err := b.wantRetry(h, "poison")
		want := h.Spec() + ": query failed: WRONGTYPE Operation against a key holding the wrong kind of value"
		if err == nil || err.Error() != want {
			t.Fatalf("error %v, want %s", err, want)
		}
		b.want(h, "a", "x")
		b.want(h, "b", "-")
	}
	if made := connections(s.do("INFO", "stats")) - connections(before); made != 1 { // the one of redis-cli
		t.Errorf("%d connections were made", made)
	}
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log %q", log)
	}
}

func connections(info string) (n int) {
	_, rest, _ := strings.Cut(info, "total_connections_received:")
	fmt.Sscan(rest, &n)
	return n
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, settings := range map[string]string{
		"strings": "key_format = cache:%s\n",
		"hash":    "key_format = cache\nfield_format = %s\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			h := b.open("t", "hosts = "+s.address()+"\n"+settings, maptypes.Create)
			reader := b.open("r", "hosts = unix:"+s.socket()+"\n"+settings, maptypes.ReadOnly)
			check := func(what string, err error, want error) {
				t.Helper()
				if maptypes.Class(err) != want {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			check("first update", put(h, "a", "1", 0), nil)
			b.want(reader, "a", "1")
			check("duplicate", put(h, "a", "2", 0), maptypes.ErrConfig)
			check("ignored duplicate", put(h, "a", "2", maptypes.FlagDupIgnore), nil)
			b.takeLog()
			check("duplicate with a warning", put(h, "a", "2", maptypes.FlagDupWarn), nil)
			if log := b.takeLog(); len(log) != 1 || log[0] != h.Spec()+`: duplicate entry: "a"` {
				t.Errorf("log %q", log)
			}
			b.want(reader, "a", "1")
			check("replace", put(h, "a", "2\x01 é", maptypes.FlagDupReplace), nil)
			b.want(reader, "a", "2\x01 é")
			check("empty value", put(h, "a", "", maptypes.FlagDupReplace), maptypes.ErrConfig)
			check("delete", del(h, "a"), nil)
			b.want(reader, "a", "-")
			check("delete again", del(h, "a"), maptypes.ErrNotFound)
		})
	}
	b := newBench(t)
	h := b.open("d", "hosts = "+s.address()+"\ndomain = example.com\n", maptypes.Create)
	if err := put(h, "joe@example.org", "x", 0); maptypes.Class(err) != maptypes.ErrConfig {
		t.Errorf("update of a key that is never looked up: %v", err)
	}
	if got := s.do("KEYS", "*"); got != "" {
		t.Errorf("left: %q", got)
	}
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	h := b.open("t", "hosts = "+s.address()+"\nttl = 2h\n", maptypes.Create)
	for key, more := range map[string]maptypes.Flags{"new": 0, "replaced": maptypes.FlagDupReplace} {
		if err := put(h, key, "x", more); err != nil {
			t.Error(err)
		}
		var seconds int
		if fmt.Sscan(s.do("TTL", key), &seconds); seconds < 7100 || seconds > 7200 {
			t.Errorf("%s: %d seconds to live", key, seconds)
		}
	}
	s.do("PEXPIRE", "new", "1")
	b.eventuallyGone(h, "new")
	forever := b.open("u", "hosts = "+s.address()+"\n", maptypes.Create)
	if err := put(forever, "new", "x", 0); err != nil {
		t.Error(err)
	}
	if got := s.do("TTL", "new"); got != "-1" {
		t.Errorf("ttl %s", got)
	}
}

func (b *bench) eventuallyGone(h *maptypes.Handle, key string) {
	b.t.Helper()
	(&server{t: b.t}).wait(key+" to expire", func() bool {
		got, err := get(h, key)
		return err == nil && got == "-"
	})
}

func TestSequence(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const n = 2500 // more than two batches
	var feed strings.Builder
	for i := range n {
		fmt.Fprintf(&feed, "SET v*[x]:%d:end %d\nHSET hash f%d %d\nHSET user:%d box %d\n", i, i, i, i, i, i)
	}
	feed.WriteString("SET vXX:1:end other\nSET v*[x]::end none\nLPUSH v*[x]:list:end x\nHSET user:odd quota x\nSET user:string x\n")
	s.feed(feed.String())
	for name, settings := range map[string]string{
		"strings": "key_format = v*[x]:%s:end\n",
		"fields":  "key_format = hash\nfield_format = f%s\n",
		"hashes":  "key_format = user:%s\nfield_format = box\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			keys, values, err := list(b.open("t", "hosts = "+s.address()+"\n"+settings, maptypes.ReadOnly), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(values) != n || len(keys) != n {
				t.Errorf("%d entries, %d different ones, want %d", len(keys), len(values), n)
			}
			for i := range n {
				if want := fmt.Sprint(i); values[want] != want {
					t.Errorf("%s: %q", want, values[want])
				}
			}
		})
	}
	b := newBench(t)
	for name, settings := range map[string]string{"local parts": "key_format = user:%u\n", "two": "key_format = %s:%s\n", "both": "key_format = %s\nfield_format = %s\n",
		"two servers": "hosts = " + s.address() + " unix:" + s.socket() + "\n"} {
		if _, _, err := list(b.open("t", settings, maptypes.ReadOnly), nil); maptypes.Class(err) != maptypes.ErrConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSequenceAnew checks that a sequence shows what has come since the last one.
func TestSequenceAnew(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	h := b.open("t", "hosts = "+s.address()+"\n", maptypes.Create)
	for _, key := range []string{"b", "a", "c"} {
		if err := put(h, key, "x", 0); err != nil {
			t.Error(err)
		}
		keys, _, err := list(h, nil)
		if !slices.Contains(keys, key) || err != nil {
			t.Errorf("%q %v, want %s among them", keys, err, key)
		}
	}
}

// TestSequenceDuringChanges checks that a sequence shows at least what is there
// all the time, while the server rearranges its table, and after a change of
// workers.
func TestSequenceDuringChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size   string // of the server's table afterwards
		change func(i int) string
	}{
		"most go": {"1024", func(i int) string {
			if i%10 == 0 {
				return ""
			}
			return fmt.Sprintf("DEL k%d\n", i)
		}},
		"many come": {"32768", func(i int) string { return fmt.Sprintf("MSET x%d x y%d y z%d z\n", i, i, i) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b := newServer(t, "--enable-debug-command", "yes"), newBench(t)
			s.feedEach(6000, "8192", func(i int) string { return fmt.Sprintf("SET k%d %d\n", i, i) })
			values := map[string]string{}
			var cursor maptypes.Cursor
			var h *maptypes.Handle
			for n := 0; ; n++ {
				if n%100 == 0 {
					h = b.open("t", "hosts = "+s.address()+"\n", maptypes.ReadOnly)
				}
				if n == 500 {
					s.feedEach(6000, c.size, c.change)
				}
				key, value, err := h.Sequence(context.Background(), &maptypes.Request{}, &cursor)
				if err == maptypes.ErrNotFound {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				values[string(key)] = string(value)
			}
			for i := 0; i < 6000; i += 10 {
				if key := fmt.Sprint("k", i); values[key] != fmt.Sprint(i) {
					t.Errorf("%s: %q", key, values[key])
				}
			}
		})
	}
}

// feedEach has the server perform the commands of n lines, and waits until its
// table has a size.
func (s *server) feedEach(n int, size string, line func(i int) string) {
	s.t.Helper()
	var text strings.Builder
	for i := range n {
		text.WriteString(line(i))
	}
	s.feed(text.String())
	s.wait("a table of size "+size, func() bool {
		stats := s.do("DEBUG", "HTSTATS", "0")
		return strings.Contains(stats, "table size: "+size+"\n") && !strings.Contains(stats, "rehashing target")
	})
}
