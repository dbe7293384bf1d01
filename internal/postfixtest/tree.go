package postfixtest

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// queueDirs are the subdirectories of the queue and the modes that Postfix's set-gid rules ask for; all belong to the
// mail owner, and the second list to the group postdrop as well.
var (
	privateDirs = []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"}
	sharedDirs  = map[string]fs.FileMode{"maildrop": 0o730 | fs.ModeSticky, "public": 0o710 | fs.ModeSetgid}
)

func (i *Instance) makeTree() {
	i.t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		i.t.Fatal(err)
	}
	i.Dir = dir
	i.Conf = filepath.Join(dir, "etc")
	i.Queue = filepath.Join(dir, "q")
	i.Data = filepath.Join(dir, "data")
	i.Daemons = filepath.Join(dir, "libexec")
	i.Tables = filepath.Join(dir, "t")
	i.LogFile = filepath.Join(dir, "log", "mail.log")

	admin, adminGroup, dropGroup := 0, 0, i.GID
	if i.user {
		admin, adminGroup = i.UID, i.GID
	} else {
		dropGroup = i.postdrop()
	}
	i.own(dir, 0o755, admin, adminGroup)
	for _, d := range []string{i.Conf, i.Queue, i.Daemons, filepath.Dir(i.LogFile), filepath.Join(i.Queue, "pid")} {
		i.mkdir(d, 0o755, admin, adminGroup)
	}
	i.mkdir(i.Data, 0o700, i.UID, i.GID)
	i.mkdir(i.Tables, 0o755, i.UID, i.GID)
	for _, name := range privateDirs {
		i.mkdir(filepath.Join(i.Queue, name), 0o700, i.UID, adminGroup)
	}
	for name, mode := range sharedDirs {
		i.mkdir(filepath.Join(i.Queue, name), mode, i.UID, dropGroup)
	}
	i.linkDaemons()
}

func (i *Instance) postdrop() int {
	i.t.Helper()
	group, err := user.LookupGroup("postdrop")
	if err != nil {
		i.t.Fatal(err)
	}
	return i.number(group.Gid)
}

// linkDaemons fills daemon_directory, so that each program in it can be ours or Postfix's.
func (i *Instance) linkDaemons() {
	i.t.Helper()
	targets := map[string]string{}
	if !i.user {
		entries, err := os.ReadDir(testenv.PostfixDaemonDir())
		if err != nil {
			i.t.Fatal(err)
		}
		for _, e := range entries {
			targets[e.Name()] = filepath.Join(testenv.PostfixDaemonDir(), e.Name())
		}
	}
	for name, path := range i.daemons {
		targets[name] = path
	}
	for name, path := range targets {
		if err := os.Symlink(path, filepath.Join(i.Daemons, name)); err != nil {
			i.t.Fatal(err)
		}
	}
}

// writeDynamicMaps lists the map types that Debian builds as loadable libraries, as its packages do in /etc/postfix.
// Postfix reads the file only when root owns it.
func (i *Instance) writeDynamicMaps() {
	i.t.Helper()
	if i.user {
		return
	}
	var lines strings.Builder
	for _, kind := range []string{"cdb", "ldap", "lmdb", "mysql", "pcre", "pgsql", "sqlite"} {
		so := "postfix-" + kind + ".so"
		if _, err := os.Stat(filepath.Join(testenv.PostfixShlibDir(), so)); err != nil {
			continue
		}
		fmt.Fprintf(&lines, "%s\t%s\tdict_%s_open", kind, so, kind)
		if kind == "cdb" || kind == "lmdb" {
			fmt.Fprintf(&lines, "\tmkmap_%s_open", kind)
		}
		lines.WriteString("\n")
	}
	i.WriteFile(filepath.Join(i.Conf, "dynamicmaps.cf"), lines.String())
}

// FileOption changes how WriteFile writes a file.
type FileOption func(path string) error

// Mode sets the permission bits; without it they are 0644.
func Mode(mode fs.FileMode) FileOption {
	return func(path string) error { return os.Chmod(path, mode) }
}

// Owner sets the owner and group. It needs root.
func Owner(uid, gid int) FileOption {
	return func(path string) error { return os.Chown(path, uid, gid) }
}

// Age sets the time of the last change to that long ago; without it the file is 100 seconds old.
func Age(age time.Duration) FileOption {
	return func(path string) error {
		then := time.Now().Add(-age)
		return os.Chtimes(path, then, then)
	}
}

// WriteFile replaces the file at path, which is relative to Tables unless it is absolute. In Tables a file belongs to
// the mail owner, elsewhere to whoever runs the test. It is 100 seconds old, because Postfix's programs wait while a
// configuration file is younger than two seconds, lest they read one that is half written. For that reason files in Conf
// are replaced in one step: a daemon may be starting just now. It returns the absolute path.
func (i *Instance) WriteFile(path, content string, options ...FileOption) string {
	i.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(i.Tables, path)
	}
	target := path
	if filepath.Dir(path) == i.Conf {
		path += ".new"
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		i.t.Fatal(err)
	}
	all := []FileOption{Mode(0o644), Age(100 * time.Second)}
	if os.Geteuid() == 0 && (i.user || filepath.Dir(path) == i.Tables) {
		all = append(all, Owner(i.UID, i.GID))
	}
	for _, option := range append(all, options...) {
		if err := option(path); err != nil {
			i.t.Fatal(err)
		}
	}
	if target != path {
		if err := os.Rename(path, target); err != nil {
			i.t.Fatal(err)
		}
	}
	return target
}

func (i *Instance) mkdir(path string, mode fs.FileMode, uid, gid int) {
	i.t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		i.t.Fatal(err)
	}
	i.own(path, mode, uid, gid)
}

// own sets the owner first: a change of owner clears the set-gid bit.
func (i *Instance) own(path string, mode fs.FileMode, uid, gid int) {
	i.t.Helper()
	if os.Geteuid() == 0 {
		if err := os.Chown(path, uid, gid); err != nil {
			i.t.Fatal(err)
		}
	}
	if err := os.Chmod(path, mode); err != nil {
		i.t.Fatal(err)
	}
}
