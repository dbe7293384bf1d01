package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/explain"
	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/protocol"
)

// service is a proxymap service, ours or Postfix's, with the approved tables mysql and inline.
type service struct {
	*bench
	pf            *postfixtest.Instance
	postmap       string
	mysql, inline string // without proxy:
}

func newService(t *testing.T, ours bool, main ...string) *service {
	t.Helper()
	testenv.Require(t, testenv.Root, testenv.Postfix, testenv.MariaDB)
	var options []postfixtest.Option
	if ours {
		options = append(options, postfixtest.Daemon("proxymap", filepath.Join(testenv.Bin(t, "proxymap"), "proxymap")))
	}
	s := &service{
		bench: newBench(t), pf: postfixtest.New(t, options...), inline: "inline:{a=b,@x.example=all}",
		postmap: filepath.Join(testenv.Bin(t, "postmap"), "postmap"),
	}
	db := postfixtest.StartMariaDB(t)
	db.SQL("CREATE TABLE t (k VARCHAR(80), v VARCHAR(80)); INSERT INTO t VALUES ('a', 'x');")
	s.mysql = "mysql:" + s.pf.WriteFile("my.cf", db.Config()+"query = SELECT v FROM t WHERE k='%s'\n")
	s.pf.SetMain("proxy_read_maps", "proxy:"+s.mysql+" proxy:"+s.inline)
	for i := 0; i < len(main); i += 2 {
		s.pf.SetMain(main[i], main[i+1])
	}
	s.pf.SetMaster("proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap")
	s.pf.Start(postfixtest.PostfixMaster())
	return s
}

// run runs our postmap, and returns what it says without times.
func (s *service) run(exit int, args ...string) string {
	s.Helper()
	r := s.pf.Postmap(s.postmap, args...)
	if r.Exit != exit {
		s.Errorf("postmap %q: exit status %d, want %d; it says:\n%s%s", args, r.Exit, exit, r.Stdout, r.Stderr)
	}
	if r.Stderr != "" {
		s.Errorf("postmap %q says: %s", args, r.Stderr)
	}
	return times.ReplaceAllString(r.Stdout, "\n")
}

func TestOurWorkerExplains(t *testing.T) {
	t.Parallel()
	s := newService(t, true)
	s.wantAll(s.run(0, "--explain", "-q", "A", "proxy:"+s.mysql),
		"proxy:"+s.mysql+`: lookup of "A" -> found "x"`+"\n",
		`  UTF-8 mode: key folded to "a"`+"\n",
		"  asking the worker at "+s.pf.Queue+`/private/proxymap for "`+s.mysql+`" -> found "x"`+"\n",
		"    "+s.mysql+`: lookup of "a" -> found "x"`+"\n",
		"      asking mysql server unix:", " -> answered\n",
		"        making a new connection, with login\n",
		"        query: SELECT v FROM t WHERE k='a' -> 1 value\n",
		"Found in: proxy:"+s.mysql, `Result: "x"`)
	s.wantAll(s.run(1, "--explain", "-q", "none", "proxy:"+s.mysql), "an open one is used again", "k='none' -> 0 values", "Result: not found")
	s.wantAll(s.run(0, "--explain", "--as", "virtual", "-q", "bob@x.example", "proxy:"+s.inline),
		`key "bob@x.example" (whole address)`, "-> not found", `key "@x.example" (the whole domain)`, "asking the worker", "    "+s.inline+": lookup of", `Found by: key "@x.example" in proxy:`+s.inline)
	var report explain.Report
	if err := json.Unmarshal([]byte(s.run(0, "--explain", "--json", "-q", "a", "proxy:"+s.mysql)), &report); err != nil {
		t.Fatal(err)
	}
	if steps := report.Lookups[0].Steps; *report.Value != "x" || steps[0].Depth != 0 || steps[len(steps)-1].Depth < 4 {
		t.Errorf("%+v", report)
	}
	// Many keys from standard input.
	r := s.pf.Run("a\nnone\n", s.postmap, "--explain", "-q", "-", s.inline)
	if r.Exit != 0 || strings.Count(r.Stdout, "Result: ") != 2 || !strings.Contains(r.Stdout, "Result: not found\n") {
		t.Errorf("%+v", r)
	}
}

// TestExplainIsApproved asks our worker directly for what postmap would not ask.
func TestExplainIsApproved(t *testing.T) {
	t.Parallel()
	s := newService(t, true)
	for _, name := range []string{"proxymap", "proxywrite"} {
		client := protocol.NewClient(protocol.ClientOptions{Service: name, MaxTries: 1, Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.pf.Queue, "private", name))
		}})
		reply, err := client.Explain(context.Background(), "static:other", 0, 0, []byte("a"))
		if !errors.Is(err, protocol.ErrDeny) || len(reply.Trace)+len(reply.Value) > 0 {
			t.Errorf("%s: %+v %v, want DENY", name, reply, err)
		}
		reply, err = client.Explain(context.Background(), s.inline, 0, 0, []byte("a"))
		if name == "proxymap" {
			if err != nil || string(reply.Value) != "b" || !json.Valid(reply.Trace) {
				t.Errorf("%s: %+v %v", name, reply, err)
			}
			// An ordinary request on the same connection leaves no trace behind.
			if reply, err = client.Lookup(context.Background(), s.inline, 0, 0, []byte("a")); err != nil || string(reply.Value) != "b" || reply.Trace != nil {
				t.Errorf("%s: %+v %v", name, reply, err)
			}
		} else if !errors.Is(err, protocol.ErrDeny) {
			t.Errorf("%s, which has other tables: %+v %v", name, reply, err)
		}
		client.Close()
	}
}

// TestWorkersThatOnlyAnswer: Postfix's worker does not explain, and neither does ours when it must not.
func TestWorkersThatOnlyAnswer(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*service{
		"Postfix's":    newService(t, false),
		"switched off": newService(t, true, "proxymapd_explain", "no"),
	} {
		got := s.run(0, "--explain", "-q", "a", "proxy:"+s.mysql)
		s.wantAll(got, `lookup of "a" -> found "x"`, "asking the worker at "+s.pf.Queue+"/private/proxymap", "-> it is not ours, or has proxymapd_explain = no: it only answers\n", `Result: "x"`)
		if strings.Contains(got, "SELECT") {
			t.Errorf("%s: it has explained:\n%s", name, got)
		}
		s.wantAll(s.run(1, "--explain", "-q", "none", "proxy:"+s.mysql), "it only answers", "Result: not found")
	}
}

// TestOptions checks which options go together.
func TestOptions(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Root, testenv.Postfix)
	pf := postfixtest.New(t)
	postmap := filepath.Join(testenv.Bin(t, "postmap"), "postmap")
	for args, want := range map[string]string{
		"--explain -s static:x":            "option --explain requires -q",
		"--as virtual -q a static:x":       "option --as requires --explain",
		"--explain --as nis -q a static:x": "specify one of virtual, access, transport, canonical with --as",
		"--explain -q - -h static:x":       "specify --explain without -b -h or -m",
		"--explain -q a nosuch:x":          "unsupported dictionary type: nosuch",
	} {
		r := pf.Postmap(postmap, strings.Fields(args)...)
		if r.Exit != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("postmap %s: %+v, want %s", args, r, want)
		}
	}
	if r := pf.Postmap(postmap, "--explain", "-q", "a", "fail:x"); r.Exit != 1 || !strings.Contains(r.Stdout, "Result: temporary error") {
		t.Errorf("%+v", r)
	}
}
