package master

import (
	"path"
	"strconv"
)

// argv builds the command line of a worker. The order of the options is
// Postfix's, since that is what administrators see in ps(1) output.
func (d *definition) argv(stressed, foreground, verbose bool) []string {
	argv := []string{d.command}
	switch d.maxProc {
	case 0:
		argv = append(argv, "-z")
	case 1:
		argv = append(argv, "-l")
	}
	if path.Base(d.command) != d.extName {
		argv = append(argv, "-n", d.extName)
	}
	argv = append(argv, "-t", d.transport)
	if foreground {
		argv = append(argv, "-d")
	}
	if verbose {
		argv = append(argv, "-v")
	}
	if d.unprivileged {
		argv = append(argv, "-u")
	}
	if d.chroot {
		argv = append(argv, "-c")
	}
	if d.stressable {
		value := "stress="
		if stressed {
			value += "yes"
		}
		argv = append(argv, "-o", value)
	}
	if n := d.sockets(); n > 1 {
		argv = append(argv, "-s", strconv.Itoa(n))
	}
	return append(argv, d.extra...)
}
