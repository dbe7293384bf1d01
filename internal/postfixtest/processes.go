package postfixtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Process is a process that belongs to an instance.
type Process struct {
	PID  int
	Args []string
}

func (p Process) String() string {
	return fmt.Sprintf("%d %s", p.PID, strings.Join(p.Args, " "))
}

// Processes returns the master and everything that it has started and that still runs, lowest process id first. A process belongs to
// the instance when MAIL_CONFIG in its environment names Conf, or when its working directory or root is inside Dir.
func (i *Instance) Processes() []Process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		i.t.Fatal(err)
	}
	var found []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !i.owns(filepath.Join("/proc", e.Name())) {
			continue
		}
		args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || len(args) == 0 { // gone, or a zombie
			continue
		}
		found = append(found, Process{pid, strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")})
	}
	slices.SortFunc(found, func(a, b Process) int { return a.PID - b.PID })
	return found
}

// Workers returns the processes that run the named command of master.cf, such as "proxymap", for the service.
func (i *Instance) Workers(command, service string) []Process {
	return slices.DeleteFunc(i.Processes(), func(p Process) bool {
		if filepath.Base(p.Args[0]) != command {
			return true
		}
		name := command
		if at := slices.Index(p.Args, "-n"); at >= 0 && at+1 < len(p.Args) {
			name = p.Args[at+1]
		}
		return name != service
	})
}

func (i *Instance) owns(proc string) bool {
	for _, link := range []string{"cwd", "root"} {
		target, err := os.Readlink(filepath.Join(proc, link))
		if err == nil && (target == i.Dir || strings.HasPrefix(target, i.Dir+"/")) {
			return true
		}
	}
	environ, err := os.ReadFile(filepath.Join(proc, "environ"))
	return err == nil && slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(v []byte) bool {
		return string(v) == "MAIL_CONFIG="+i.Conf
	})
}
