// Command postconf shows and changes the configuration of the mail system: the parameters of main.cf with their defaults,
// and the services of master.cf. See postconf(1).
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command and returns its exit status.
func run(args []string, stdout, stderr io.Writer) int {
	var out bytes.Buffer
	pc := &postconf{out: &out, stderr: stderr}
	err := pc.execute(args)
	if err != nil {
		// What was printed so far is dropped: half an answer could be taken for the whole.
		fmt.Fprintln(stderr, "postconf: fatal: "+printable(err.Error()))
		return 1
	}
	if _, err := stdout.Write(out.Bytes()); err != nil {
		fmt.Fprintln(stderr, "postconf: fatal: write output: "+printable(err.Error()))
		return 1
	}
	pc.flushLate()
	return 0
}

// execute does what the options ask for.
func (pc *postconf) execute(args []string) error {
	if err := pc.parseOptions(args); err != nil {
		return err
	}
	switch {
	case pc.help:
		return nil
	case pc.has(showMaps):
		return pc.printMaps()
	case pc.has(showLocks):
		return pc.printLocks()
	case pc.has(changes) && pc.has(masterModes):
		return pc.editMaster()
	case pc.has(changes):
		return pc.editMain()
	case pc.has(masterModes):
		return pc.showMaster()
	}
	return pc.showMain()
}

// showMain prints parameters of main.cf.
func (pc *postconf) showMain() error {
	if err := pc.readMain(); err != nil {
		return err
	}
	pc.addBuiltins()
	if err := pc.readMaster(false); err != nil {
		return err
	}
	pc.addServiceParameters()
	if !pc.has(showDefaults) {
		if err := pc.addUserParameters(); err != nil {
			return err
		}
	}
	if err := pc.printParameters(); err != nil {
		return err
	}
	if !pc.has(showDefaults) {
		pc.warnUnused()
	}
	return nil
}

// showMaster prints entries, columns or parameters of master.cf.
func (pc *postconf) showMaster() error {
	if err := pc.readMaster(true); err != nil {
		return err
	}
	if err := pc.readMain(); err != nil {
		return err
	}
	pc.addBuiltins()
	pc.addServiceParameters()
	if err := pc.addUserParameters(); err != nil {
		return err
	}
	var err error
	switch {
	case pc.has(masterFields):
		err = pc.printFields()
	case pc.has(masterParams):
		err = pc.printServiceParameters()
	default:
		err = pc.printEntries()
	}
	pc.warnUnusedMaster()
	return err
}

// warn writes a warning at once.
func (pc *postconf) warn(format string, args ...any) {
	fmt.Fprintln(pc.stderr, "postconf: warning: "+printable(fmt.Sprintf(format, args...)))
}

// warnLate writes a warning after the output.
func (pc *postconf) warnLate(format string, args ...any) {
	pc.late = append(pc.late, fmt.Sprintf(format, args...))
}

func (pc *postconf) flushLate() {
	for _, message := range pc.late {
		pc.warn("%s", message)
	}
}

// printable replaces what is not printable ASCII, so that a configuration cannot send control sequences to a terminal
// by way of a message.
func printable(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}
