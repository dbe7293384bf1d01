package test

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// TestMailDelivery runs the whole of Debian's Postfix, with our master, our worker or both in the place of its own, and
// hands it mail by SMTP. The tables that decide about the mail are proxy:cdb: and proxy:mysql: tables, and the caches of
// verify and postscreen are written through proxywrite. The combination that is all Postfix's shows that the test holds
// for Postfix itself.
func TestMailDelivery(t *testing.T) {
	t.Parallel()
	for _, master := range makers {
		for _, worker := range makers {
			t.Run(fmt.Sprintf("master=%s,worker=%s", master, worker), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, master, worker)
				s.testDelivery()
				s.testVerifyCache()
				s.testPostscreen()
				checkPrograms(t, s.pf, master, worker)
				noTrouble(t, s.pf)
				s.pf.Stop()
			})
		}
	}
}

// site is a mail server for the domain virtual.example.
type site struct {
	*testing.T
	pf                   *postfixtest.Instance
	smtpPort, screenPort int
	spool                string // virtual_mailbox_base
}

// allServices is Debian's stock master.cf without chroot and without the pipe services of other packages, plus
// postscreen on a second port.
const allServices = `127.0.0.1:%d inet n - n - - smtpd
127.0.0.1:%d inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
  -o syslog_name=postfix/$service_name
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd`

func newSite(t *testing.T, master, worker maker) *site {
	t.Helper()
	testenv.Require(t, testenv.Root, testenv.Postfix, testenv.MariaDB)
	pf := postfixtest.New(t, worker.worker(t))
	s := &site{
		T: t, pf: pf, spool: filepath.Join(pf.Dir, "mail"),
		smtpPort: postfixtest.FreePort(t), screenPort: postfixtest.FreePort(t),
	}
	uid, gid := s.makeSpool()
	s.setTables()
	for name, value := range map[string]string{
		"virtual_mailbox_base":         s.spool,
		"virtual_minimum_uid":          "1",
		"virtual_uid_maps":             "static:" + uid,
		"virtual_gid_maps":             "static:" + gid,
		"mydestination":                "",
		"smtpd_relay_restrictions":     "reject_unauth_destination",
		"smtpd_recipient_restrictions": "reject_unlisted_recipient, reject_unverified_recipient",
		"address_verify_poll_delay":    "1s",
		"address_verify_poll_count":    "20",
		"address_verify_map":           "proxy:lmdb:$data_directory/verify_cache",
		"postscreen_cache_map":         "proxy:lmdb:$data_directory/postscreen_cache",
		"postscreen_access_list":       "",
		"postscreen_greet_action":      "enforce",
		"postscreen_greet_wait":        "1s",
	} {
		pf.SetMain(name, value)
	}
	pf.SetMaster(strings.Split(fmt.Sprintf(allServices, s.smtpPort, s.screenPort), "\n")...)
	pf.Start(master.master(t))
	return s
}

// makeSpool makes a mail directory that belongs to nobody.
func (s *site) makeSpool() (uid, gid string) {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		s.Fatal(err)
	}
	if err := os.Mkdir(s.spool, 0o700); err != nil {
		s.Fatal(err)
	}
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			s.Fatal(err)
		}
		return n
	}
	if err := os.Chown(s.spool, number(nobody.Uid), number(nobody.Gid)); err != nil {
		s.Fatal(err)
	}
	return nobody.Uid, nobody.Gid
}

// setTables makes the tables: domains and aliases are cdb files, mailboxes are rows of a database.
func (s *site) setTables() {
	db := postfixtest.StartMariaDB(s.T)
	db.SQL("CREATE TABLE mailbox (address VARCHAR(80) PRIMARY KEY, maildir VARCHAR(80));" +
		"INSERT INTO mailbox VALUES ('alice@virtual.example', 'alice/'), ('bob@virtual.example', 'bob/');")
	mailboxes := s.pf.WriteFile("mailboxes.cf", db.Config()+"query = SELECT maildir FROM mailbox WHERE address = '%s'\n")
	domains := s.pf.WriteFile("domains", "virtual.example anything\n")
	aliases := s.pf.WriteFile("aliases", "postmaster@virtual.example bob@virtual.example\n")
	for _, table := range []string{domains, aliases} {
		if r := s.pf.Postmap(theirs.postmap(s.T), "cdb:"+table); r.Exit != 0 {
			s.Fatalf("postmap: %+v", r)
		}
	}
	s.pf.SetMain("virtual_mailbox_domains", "proxy:cdb:"+domains)
	s.pf.SetMain("virtual_alias_maps", "proxy:cdb:"+aliases)
	s.pf.SetMain("virtual_mailbox_maps", "proxy:mysql:"+mailboxes)
}

func (s *site) testDelivery() {
	for _, to := range []struct{ address, mailbox string }{
		{"alice@virtual.example", "alice"},
		{"postmaster@virtual.example", "bob"}, // by virtual_alias_maps
	} {
		reply := postfixtest.DialSMTP(s.T, s.smtpPort).Send("sender@client.example", to.address, "to "+to.address)
		if reply.Code != 250 {
			s.Errorf("mail to %s: %v", to.address, reply)
			continue
		}
		s.waitMail(to.mailbox, "Subject: to "+to.address)
	}
	reply := postfixtest.DialSMTP(s.T, s.smtpPort).Send("sender@client.example", "nobody@virtual.example", "x")
	if reply.Code != 550 || !strings.Contains(reply.Text, "User unknown in virtual mailbox table") {
		s.Errorf("mail to an unknown user: %v", reply)
	}
}

// waitMail waits until the mailbox holds a message with the text.
func (s *site) waitMail(mailbox, text string) {
	s.Helper()
	var contents []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(s.spool, mailbox, "new", "*"))
		if err != nil {
			s.Fatal(err)
		}
		contents = nil
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				s.Fatal(err)
			}
			if strings.Contains(string(content), text) {
				return
			}
			contents = append(contents, string(content))
		}
	}
	s.Errorf("no mail with %q for %s; there is: %q", text, mailbox, contents)
}

// testVerifyCache looks for the result of the address probe in verify's cache.
func (s *site) testVerifyCache() {
	s.Helper()
	value := s.cacheValue("verify_cache", "alice@virtual.example")
	if !strings.HasPrefix(value, "0:") { // status 0: deliverable
		s.Errorf("verify cache: %q", value)
	}
}

// testPostscreen connects as a new client, which has to wait, and as a known one.
func (s *site) testPostscreen() {
	s.Helper()
	for _, log := range []string{"PASS NEW", "PASS OLD"} {
		postfixtest.DialSMTP(s.T, s.screenPort).Command("QUIT")
		s.pf.WaitLog("postscreen.*" + log + ` \[127\.0\.0\.1\]`)
	}
	if value := s.cacheValue("postscreen_cache", "127.0.0.1"); value == "" {
		s.Errorf("postscreen cache is empty")
	}
}

// cacheValue looks the key up in the file of a cache. The program that keeps the cache writes when it likes, so it waits.
func (s *site) cacheValue(cache, key string) string {
	s.Helper()
	table := "lmdb:" + filepath.Join(s.pf.Data, cache)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r := s.pf.Postmap(theirs.postmap(s.T), "-q", key, table); r.Exit == 0 {
			return r.Stdout
		}
	}
	return ""
}
