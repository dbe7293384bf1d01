package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// Layout of long lines.
const (
	lineLimit = 80
	indent    = "    "
	blanks    = " \t\r\n"
)

// printMaps lists the map types of this build.
func (pc *postconf) printMaps() error {
	for _, name := range maptypes.NewRegistry(all.Drivers()...).Types() {
		fmt.Fprintln(pc.out, name)
	}
	return nil
}

// printLocks lists the ways to lock a mailbox that the mail system knows on Linux.
func (pc *postconf) printLocks() error {
	_, err := fmt.Fprintln(pc.out, "flock\nfcntl\ndotlock")
	return err
}

// printParameters prints the named parameters of main.cf, or all of the wanted classes.
func (pc *postconf) printParameters() error {
	names := pc.args
	if len(names) == 0 {
		for _, name := range sortedKeys(pc.nodes) {
			if pc.nodes[name].class&pc.class != 0 {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		n := pc.nodes[name]
		if n == nil {
			pc.warn("%s: unknown parameter", name)
			continue
		}
		value, ok := pc.lookup(name, nil, pc.mode)
		if !ok {
			continue
		}
		if pc.has(expand) && !n.raw && !pc.has(hideValue) {
			var err error
			if value, err = pc.expandValue(value, nil, pc.mode); err != nil {
				return err
			}
		}
		pc.printSetting(name, value)
	}
	return nil
}

// printSetting prints a name and a value as the options want it.
func (pc *postconf) printSetting(name, value string) {
	switch {
	case pc.has(hideValue):
		printLine(pc.out, name, pc.has(fold))
	case pc.has(asJSON):
		printJSON(pc.out, name, value)
	case pc.has(hideName):
		printLine(pc.out, value, pc.has(fold))
	default:
		printLine(pc.out, name+" = "+value, pc.has(fold))
	}
}

// printLine prints a line with single spaces between words, folded if it is long.
func printLine(w io.Writer, text string, fold bool) {
	var b strings.Builder
	length := 0
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(blanks, r) }) {
		switch {
		case length == 0:
		case !fold || length+len(word) < lineLimit:
			b.WriteByte(' ')
			length++
		default:
			b.WriteString("\n" + indent)
			length = len(indent)
		}
		b.WriteString(word)
		length += len(word)
	}
	fmt.Fprintln(w, b.String())
}
