// Package postfixtest gives a test a private Postfix: its own configuration, queue and data directories, its own log,
// and any mix of our programs and Postfix's. Instances do not share anything, so tests run them in parallel.
//
//	pf := postfixtest.New(t, postfixtest.Daemon("proxymap", filepath.Join(bin, "proxymap")))
//	pf.SetMain("proxy_read_maps", "static:x")
//	pf.SetMaster("proxymap unix - - n - - proxymap")
//	pf.Start(postfixtest.PostfixMaster())
//
// New requires root and Postfix unless the instance is built with User, which makes one that belongs to an ordinary
// user and needs no Postfix. At the end of the test the instance is stopped; a process that it leaves behind is a
// failure. The log is printed when the test has failed.
package postfixtest

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// Instance is one private Postfix. The paths are absolute and short enough for UNIX sockets.
type Instance struct {
	Dir     string // holds all that follows; removed at the end of the test
	Conf    string // configuration directory: main.cf, master.cf, dynamicmaps.cf
	Queue   string // queue_directory
	Data    string // data_directory
	Daemons string // daemon_directory: symbolic links to Postfix's daemons, and ours where Daemon says so
	Tables  string // an empty directory for table files, owned by the mail owner
	LogFile string // maillog_file

	UID, GID int // of mail_owner

	t       testing.TB
	owner   string // mail_owner
	user    bool   // belongs to an ordinary user: see User
	daemons map[string]string
	main    []setting // in the order of main.cf
	process *process  // the running master; nil when there is none
}

// setting is one line of main.cf.
type setting struct{ name, value string }

// Option changes an instance before its files are made.
type Option func(*Instance)

// Daemon makes the master run the program at path for the command name of master.cf.
func Daemon(name, path string) Option {
	return func(i *Instance) { i.daemons[name] = path }
}

// User makes everything belong to the named user, who is also the mail owner. When the test runs as root, the master is
// started as that user; otherwise the name must be the user who runs the test, or "" for that. There are no links to
// Postfix's daemons in Daemons, because they refuse to work without root.
func User(name string) Option {
	return func(i *Instance) { i.owner, i.user = name, true }
}

// New makes the files of an instance with a plain main.cf and a master.cf without services.
func New(t testing.TB, options ...Option) *Instance {
	t.Helper()
	i := &Instance{t: t, owner: "postfix", daemons: map[string]string{}}
	for _, option := range options {
		option(i)
	}
	if !i.user {
		testenv.Require(t, testenv.Root, testenv.Postfix)
	}
	i.lookupOwner()
	i.makeTree()
	i.writeDynamicMaps()
	i.setDefaults()
	i.SetMaster()
	t.Cleanup(i.cleanup)
	return i
}

func (i *Instance) lookupOwner() {
	i.t.Helper()
	var u *user.User
	var err error
	if i.owner == "" {
		if u, err = user.Current(); err == nil {
			i.owner = u.Username
		}
	} else {
		u, err = user.Lookup(i.owner)
	}
	if err != nil {
		i.t.Fatalf("mail owner %q: %v", i.owner, err)
	}
	i.UID = i.number(u.Uid)
	i.GID = i.number(u.Gid)
}

// cleanup stops the instance and removes its files; the log of a failed test is printed first.
func (i *Instance) cleanup() {
	i.Stop()
	if i.t.Failed() {
		i.t.Logf("log of %s:\n%s", i.Dir, i.Log())
	}
	if err := os.RemoveAll(i.Dir); err != nil {
		i.t.Error(err)
	}
}

func (i *Instance) number(text string) int {
	i.t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		i.t.Fatal(err)
	}
	return n
}

// PostfixMaster returns the path of Postfix's own master.
func PostfixMaster() string {
	return filepath.Join(testenv.PostfixDaemonDir(), "master")
}

// PostfixCommand returns the path of one of Postfix's commands, such as postmap.
func PostfixCommand(name string) string {
	path, err := testenv.LookProgram(name)
	if err != nil {
		return name
	}
	return path
}

// Result is what a command printed and how it ended.
type Result struct {
	Stdout, Stderr string
	Exit           int
}

// Run runs a program with the instance's configuration (MAIL_CONFIG) and the given standard input, in Tables. It fails
// the test when the program cannot be started or dies by a signal.
func (i *Instance) Run(stdin, path string, args ...string) Result {
	i.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Dir = i.Tables
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+i.Conf)
	cmd.Stdin = bytes.NewBufferString(stdin)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && (cmd.ProcessState == nil || !cmd.ProcessState.Exited()) {
		i.t.Fatalf("run %s %q: %v", path, args, err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// Postmap runs the postmap at path (ours or Postfix's) with the arguments.
func (i *Instance) Postmap(path string, args ...string) Result {
	i.t.Helper()
	return i.Run("", path, args...)
}
