package postfixtest

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// setDefaults writes a main.cf in which every path is private and nothing of the machine's configuration is used.
func (i *Instance) setDefaults() {
	i.t.Helper()
	setgid := "postdrop"
	if i.user {
		setgid = ""
	}
	for _, s := range []setting{
		{"compatibility_level", "3.6"},
		{"queue_directory", i.Queue},
		{"data_directory", i.Data},
		{"daemon_directory", i.Daemons},
		{"command_directory", filepath.Dir(PostfixCommand("postconf"))},
		{"meta_directory", i.Conf},
		{"shlib_directory", testenv.PostfixShlibDir()},
		{"mail_owner", i.owner},
		{"setgid_group", setgid},
		{"maillog_file", i.LogFile},
		{"maillog_file_prefixes", i.Dir},
		{"inet_interfaces", "127.0.0.1"},
		{"inet_protocols", "ipv4"},
		{"myhostname", "vm.example"},
		{"mydomain", "example"},
		{"mynetworks", "127.0.0.0/8"},
		{"alias_maps", ""},
		{"alias_database", ""},
		{"service_throttle_time", "1s"},
	} {
		if s.name == "setgid_group" && s.value == "" {
			continue
		}
		i.main = append(i.main, s)
	}
	i.writeMain()
}

// SetMain sets a parameter in main.cf; a parameter that is there already gets the new value.
func (i *Instance) SetMain(name, value string) {
	i.t.Helper()
	at := slices.IndexFunc(i.main, func(s setting) bool { return s.name == name })
	if at < 0 {
		i.main = append(i.main, setting{name, value})
	} else {
		i.main[at].value = value
	}
	i.writeMain()
}

// UnsetMain removes a parameter from main.cf.
func (i *Instance) UnsetMain(name string) {
	i.t.Helper()
	i.main = slices.DeleteFunc(i.main, func(s setting) bool { return s.name == name })
	i.writeMain()
}

func (i *Instance) writeMain() {
	i.t.Helper()
	var text strings.Builder
	for _, s := range i.main {
		text.WriteString(s.name + " = " + s.value + "\n")
	}
	i.WriteFile(filepath.Join(i.Conf, "main.cf"), text.String())
}

// postlogLine is the service without which Postfix's daemons cannot write to maillog_file.
const postlogLine = "postlog unix-dgram n - n - 1 postlogd"

// SetMaster replaces master.cf by the given lines. A line that begins with blanks continues the one before it. The
// postlog service is added unless a line has it or the instance belongs to an ordinary user.
func (i *Instance) SetMaster(lines ...string) {
	i.t.Helper()
	hasPostlog := slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "postlog ") })
	if !hasPostlog && !i.user {
		lines = append(slices.Clone(lines), postlogLine)
	}
	i.WriteFile(filepath.Join(i.Conf, "master.cf"), strings.Join(lines, "\n")+"\n")
}
