// Command master supervises the services of a Postfix-compatible mail system. It
// takes the place of Postfix's master(8) and has its options.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/proxymapd/proxymapd/internal/master"
	"github.com/spf13/pflag"
)

func main() {
	opt, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "master: fatal: %v\n", err)
		os.Exit(1)
	}
	os.Exit(master.Run(opt))
}

// parse reads the command line.
func parse(args []string) (master.Options, error) {
	var opt master.Options
	var exitAfter int
	flags := pflag.NewFlagSet("master", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: master [options]\n%s", flags.FlagUsages())
	}
	flags.StringVarP(&opt.ConfigDir, "config-dir", "c", "", "read main.cf and master.cf in `directory`")
	flags.BoolVarP(&opt.Debug, "debug", "D", false, "run debugger_command after initialization")
	flags.BoolVarP(&opt.Foreground, "foreground", "d", false, "do not detach from the terminal")
	flags.IntVarP(&exitAfter, "exit-after", "e", 0, "terminate after this many `seconds`")
	flags.BoolVarP(&opt.Init, "init", "i", false, "run as process 1 of a container")
	flags.BoolVarP(&opt.KeepStdout, "keep-stdout", "s", false, "do not redirect standard output to /dev/null")
	flags.BoolVarP(&opt.TestLock, "test", "t", false, "only test: exit status 0 when no master runs")
	flags.CountVarP(&opt.Verbose, "verbose", "v", "log more; give it again for still more")
	flags.BoolVarP(&opt.Wait, "wait", "w", false, "go to the background, return when initialization is complete")
	if err := flags.Parse(args); err != nil {
		if err == pflag.ErrHelp {
			os.Exit(0)
		}
		flags.Usage()
		return opt, err
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return opt, fmt.Errorf("unexpected argument: %s", flags.Arg(0))
	}
	if exitAfter < 0 {
		return opt, fmt.Errorf("negative exit time: %d", exitAfter)
	}
	opt.ExitAfter = time.Duration(exitAfter) * time.Second
	return opt, nil
}
