package explain_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/explain"
	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// TestKeysAreThoseOfPostfix sends mail through Postfix's own smtpd, cleanup and trivial-rewrite, whose tables are in a
// server that has no entries and notes every key that it is asked for. Those are the keys of the plan.
func TestKeysAreThoseOfPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Root, testenv.Postfix)
	for name, main := range map[string]map[string]string{
		"defaults": {"recipient_delimiter": "+"},
		"dots":     {"recipient_delimiter": "+-", "parent_domain_matches_subdomains": ""},
		"plain": {
			"recipient_delimiter": "", "parent_domain_matches_subdomains": "transport_maps, smtpd_access_maps",
			"myorigin": "origin.example", "mydestination": "inline:{{b.example=x}}, /dev/null", "smtpd_null_access_lookup_key": "nobody",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailer(t, main)
			for _, rcpt := range []string{
				"bob@a.b.example.org", "bob+x@a.b.example.org", "bob+x+y@b.example", "bob+x@vm.example", "Bob+X@VM.Example",
				"bob@[127.0.0.1]", "bob+x@[127.0.0.9]", `"a,b+c"@vm.example`, `"a,b"@c.example`, "owner-list@vm.example",
				"list-request@vm.example", "list-x@vm.example", "postmaster@vm.example", "mailer-daemon@b.example", "joe", "joe+x",
				"+x@vm.example", "bob@example", "bob-@vm.example", "double-bounce@c.example", "bob@origin.example",
			} {
				m.testRecipient(rcpt)
			}
			m.testClient()
		})
	}
}

// mailer is a Postfix with the recording tables.
type mailer struct {
	*testing.T
	recorder *recorder
	smtp     *postfixtest.SMTP
	settings explain.Settings
}

func newMailer(t *testing.T, main map[string]string) *mailer {
	t.Helper()
	m := &mailer{T: t, recorder: newRecorder(t)}
	pf := postfixtest.New(t)
	port := postfixtest.FreePort(t)
	table := func(tag string) string {
		return "memcache:" + pf.WriteFile(tag+".cf", fmt.Sprintf("memcache = inet:%s\nkey_format = %s:%%s\n", m.recorder.address, tag))
	}
	for name, value := range map[string]string{
		"virtual_alias_maps": table(explain.Virtual), "transport_maps": table(explain.Transport),
		"recipient_canonical_maps": table(explain.Canonical), "virtual_alias_domains": "", "local_recipient_maps": "", "local_header_rewrite_clients": "",
		"in_flow_delay":                "0", // there is no queue manager
		"smtpd_recipient_restrictions": "check_recipient_access " + table(explain.Access) + " check_client_access " + table("client") + " check_helo_access " + table("helo") + " check_sender_access " + table("sender"),
		"smtpd_relay_restrictions":     "permit_mynetworks, reject_unauth_destination",
	} {
		pf.SetMain(name, value)
	}
	for name, value := range main {
		pf.SetMain(name, value)
	}
	pf.SetMaster(fmt.Sprintf("127.0.0.1:%d inet n - n - - smtpd", port), "cleanup unix n - n - 0 cleanup", "rewrite unix - - n - - trivial-rewrite")
	pf.Start(postfixtest.PostfixMaster())
	params, err := config.Load(pf.Conf, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.settings.Param = func(name string) (string, bool) {
		value, err := params.String(name)
		_, known := params.Raw(name)
		return value, known && err == nil
	}
	m.settings.Env = &maptypes.Env{
		Registry: maptypes.NewRegistry(all.Drivers()...), Param: m.settings.Param, UTF8: true,
		Infof: t.Logf, Warnf: t.Logf, Errorf: t.Logf,
	}
	m.smtp = postfixtest.DialSMTP(t, port)
	m.command(250, "HELO mail.a.example.org")
	return m
}

func (m *mailer) command(code int, format string, args ...any) {
	m.Helper()
	if reply := m.smtp.Command(format, args...); reply.Code != code {
		m.Errorf("%s: %v, want %d", fmt.Sprintf(format, args...), reply, code)
	}
}

// testRecipient sends a message and compares the keys that were asked for.
func (m *mailer) testRecipient(rcpt string) {
	m.Helper()
	m.recorder.take()
	m.command(250, "MAIL FROM:<>")
	m.command(250, "RCPT TO:<%s>", rcpt)
	m.command(354, "DATA")
	m.command(250, "Subject: x\r\n\r\nx\r\n.")
	asked := m.recorder.take()
	for _, kind := range explain.Kinds {
		address := rcpt
		if kind == explain.Access && !strings.Contains(rcpt, "@") { // it would be a host
			address += "@" + m.origin()
		}
		want := m.keys(kind, address)
		got := asked[kind]
		if kind == explain.Virtual || kind == explain.Canonical {
			// The cleanup server is the last to ask. Before, smtpd has also tried the local part without quotes.
			m.compare("cleanup: "+kind+" "+rcpt, got[max(0, len(got)-len(want)):], want)
			got = slices.DeleteFunc(got, func(key string) bool { return strings.HasPrefix(key, "a,b") })
		}
		if kind == explain.Transport { // the last one is remembered for a while, and asked for when it suits
			want = want[:len(want)-1]
			got = slices.DeleteFunc(got, func(key string) bool { return key == "*" })
		}
		m.compare(kind+" "+rcpt, got, want)
	}
	m.compare("client", asked["client"][len(asked["client"])-4:], m.keys(explain.Access, "127.0.0.1"))
	m.compare("helo", asked["helo"], m.keys(explain.Access, "mail.a.example.org"))
	m.compare("sender", asked["sender"], m.keys(explain.Access, ""))
}

func (m *mailer) origin() string {
	origin, _ := m.settings.Param("myorigin")
	return origin
}

// compare fails the test unless got is want, once or several times over.
func (m *mailer) compare(what string, got, want []string) {
	m.Helper()
	for rest := got; ; rest = rest[len(want):] {
		if len(rest) < len(want) || !slices.Equal(rest[:len(want)], want) {
			m.Errorf("%s: Postfix asked for\n%q, and not for\n%q", what, got, want)
			return
		}
		if len(rest) == len(want) {
			return
		}
	}
}

// testClient compares what is asked about the address of a client.
func (m *mailer) testClient() {
	m.Helper()
	if got, want := m.keys(explain.Access, "[2001:db8::1]"), []string{"2001:db8::1", "2001:db8:", "2001:db8", "2001"}; !slices.Equal(got, want) {
		m.Errorf("keys for an IPv6 address: %q, want %q", got, want)
	}
}

// keys returns the keys of a plan as the server sees them: folded.
func (m *mailer) keys(kind, address string) (keys []string) {
	m.Helper()
	plan, err := explain.NewPlan(kind, address, m.settings)
	if err != nil {
		m.Fatal(err)
	}
	for _, key := range plan.Keys {
		keys = append(keys, strings.ToLower(key.Text))
	}
	return keys
}

// recorder is a memcached server that has no entries.
type recorder struct {
	address string
	mu      sync.Mutex
	keys    map[string][]string // by tag
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &recorder{address: l.Addr().String(), keys: map[string][]string{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		tag, key, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "get "), ":")
		r.mu.Lock()
		r.keys[tag] = append(r.keys[tag], key)
		r.mu.Unlock()
		if _, err := conn.Write([]byte("END\r\n")); err != nil {
			return
		}
	}
}

// take returns the keys that were asked for since the last time.
func (r *recorder) take() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.keys
	r.keys = map[string][]string{}
	return keys
}
