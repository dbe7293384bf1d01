package service

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OnTerminal reports whether standard input is a terminal, which master(8) never gives to a worker. A program should
// then also log to standard error until Run takes over.
func OnTerminal() bool {
	_, err := unix.IoctlGetTermios(unix.Stdin, unix.TCGETS)
	return err == nil
}

// byHand reports whether somebody has typed the command: it has a terminal, or none of what master(8) says.
func (opt Options) byHand() bool {
	if opt.Stdio || opt.Foreground {
		return false
	}
	return OnTerminal() || (opt.Transport == "" && os.Getenv(generationEnv) == "")
}

// tellHand writes to standard error and not to the log, because that is where whoever typed the command looks.
func tellHand(program string) {
	fmt.Fprintf(os.Stderr, "%[1]s: do not run this command by hand: master(8) starts it, as the %[1]s line in master.cf says\n"+
		"%[1]s: to look up a key, use: postmap -q key type:name (or %[1]s -S to talk to it on standard input)\n", program)
}
