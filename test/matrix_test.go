package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// TestMatrix is the central promise: our master, worker and postmap each work with Postfix's others.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, master := range makers {
		for _, worker := range makers {
			for _, postmap := range makers {
				name := fmt.Sprintf("master=%s,worker=%s,postmap=%s", master, worker, postmap)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					c := newCell(t, master, worker, postmap)
					c.test()
					checkPrograms(t, c.pf, master, worker)
					c.pf.Stop() // fails the test when a process is left
				})
			}
		}
	}
}

// cell is one combination of programs with its tables.
type cell struct {
	*testing.T
	pf      *postfixtest.Instance
	worker  maker
	maker   maker // of postmap
	postmap string
	users   string // proxy: name of a cdb table, for reading
	rules   string // proxy: name of a regexp table
	cache   string // lmdb table for proxywrite, without proxy:
}

func newCell(t *testing.T, master, worker, postmap maker) *cell {
	t.Helper()
	c := &cell{T: t, worker: worker, maker: postmap, postmap: postmap.postmap(t)}
	c.pf = postfixtest.New(t, worker.worker(t))
	users := c.pf.WriteFile("users", "alice mailbox-of-alice\nbob mailbox-of-bob\n")
	cache := c.pf.WriteFile("cache", "first one\nsecond two\nthird three\n")
	for _, table := range []string{"cdb:" + users, "lmdb:" + cache} {
		c.succeed("", table)
	}
	c.pf.Run("", "chown", "postfix", cache+".lmdb")
	c.users = "proxy:cdb:" + users
	c.rules = "proxy:regexp:" + c.pf.WriteFile("rules", "/^(.*)@old\\.example$/ $1@new.example\n")
	c.cache = "lmdb:" + cache
	c.pf.SetMain("proxy_read_maps", c.users+" "+c.rules+" proxy:"+c.cache)
	c.pf.SetMain("proxy_write_maps", "proxy:"+c.cache)
	c.pf.SetMaster("proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap")
	c.pf.Start(master.master(t))
	return c
}

// succeed runs postmap and returns what it printed.
func (c *cell) succeed(stdin string, args ...string) string {
	c.Helper()
	r := c.pf.Run(stdin, c.postmap, args...)
	if r.Exit != 0 || r.Stderr != "" {
		c.Errorf("postmap %q: %+v", args, r)
	}
	return r.Stdout
}

// ends runs postmap and expects an exit status and a text on standard error; "" is no text at all.
func (c *cell) ends(exit int, stderr string, args ...string) {
	c.Helper()
	r := c.pf.Postmap(c.postmap, args...)
	if r.Exit != exit || r.Stdout != "" || !strings.Contains(r.Stderr, stderr) || stderr == "" && r.Stderr != "" {
		c.Errorf("postmap %q: %+v, want exit %d, %q", args, r, exit, stderr)
	}
}

func (c *cell) test() {
	if got := c.succeed("", "-q", "alice", c.users); got != "mailbox-of-alice\n" {
		c.Errorf("read: %q", got)
	}
	if got := c.succeed("alice\nnobody\nbob\n", "-q", "-", c.users); got != "alice\tmailbox-of-alice\nbob\tmailbox-of-bob\n" {
		c.Errorf("read many: %q", got)
	}
	c.ends(1, "", "-q", "nobody", c.users)
	if got := c.succeed("", "-q", "joe@old.example", c.rules); got != "joe@new.example\n" {
		c.Errorf("regexp: %q", got)
	}
	c.ends(1, "", "-q", "joe@other.example", c.rules)
	c.ends(1, `fatal: proxymap service is not configured for table "static:x"`, "-q", "alice", "proxy:static:x")
	c.testUpdates()
	c.testSequence()
	expected := []string{
		`table: "static:x"`, "list proxy:static:x in main.cf:proxy_read_maps", `not configured for table "static:x"`,
	}
	if c.worker == theirs && c.maker == ours {
		// Ours speaks as Postfix 3.11 does first, and only from the answer learns that the worker is an older one.
		expected = append(expected, "unexpected attribute instance_flags from proxy")
	}
	noTrouble(c.T, c.pf, expected...)
}

// testUpdates changes the table through proxywrite and looks at the file.
func (c *cell) testUpdates() {
	w := newWire(c.T, c.pf.Dial("proxywrite"))
	flags := w.ask("request", "open", "table", c.cache, "flags", "64")
	if flags["status"] != "0" {
		c.Fatalf("open for writing: %q", flags)
	}
	reply := w.ask("request", "update", "table", c.cache, "flags", flags["flags"], "key", "fourth", "value", "four")
	if len(reply) != 1 || reply["status"] != "0" {
		c.Errorf("update: %q", reply)
	}
	if got := c.succeed("", "-q", "fourth", c.cache); got != "four\n" {
		c.Errorf("update on disk: %q", got)
	}
	if c.maker == ours { // Postfix 3.7's postmap cannot update through proxy:
		c.succeed("fifth five\n", "-i", "proxy:"+c.cache)
		if got := c.succeed("", "-q", "fifth", c.cache); got != "five\n" {
			c.Errorf("update on disk: %q", got)
		}
		c.succeed("", "-d", "fifth", "proxy:"+c.cache)
	}
	c.succeed("", "-d", "second", "proxy:"+c.cache)
	c.ends(1, "", "-q", "second", c.cache)
	c.ends(1, "", "-d", "second", "proxy:"+c.cache)
	if got := c.succeed("", "-q", "fourth", "proxy:"+c.cache); got != "four\n" {
		c.Errorf("update through the reader: %q", got)
	}
}

func (c *cell) testSequence() {
	const want = "first\tone\nfourth\tfour\nthird\tthree\n"
	if c.maker == ours { // nor can it list through proxy:
		if got := c.succeed("", "-s", "proxy:"+c.cache); got != want {
			c.Errorf("sequence: %q", got)
		}
	}
	w := newWire(c.T, c.pf.Dial("proxymap"))
	var got strings.Builder
	for function := "0"; ; function = "1" {
		reply := w.ask("request", "sequence", "table", c.cache, "flags", "64", "function", function)
		if reply["status"] != "0" {
			if reply["status"] != "1" {
				c.Errorf("end of sequence: %q", reply)
			}
			break
		}
		fmt.Fprintf(&got, "%s\t%s\n", reply["key"], reply["value"])
	}
	if got.String() != want {
		c.Errorf("sequence on the wire: %q", got.String())
	}
}
