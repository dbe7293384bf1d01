package postmap

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/proxymapd/proxymapd/maptypes"
)

// TestLongNames: every letter has a long name that means the same.
func TestLongNames(t *testing.T) {
	const letters = "bcdfFhijmnNopqrsuUvw"
	var seen []string
	(&options{}).flagSet().VisitAll(func(flag *pflag.Flag) {
		if flag.Shorthand == "" { // Postfix has no such option
			return
		}
		seen = append(seen, flag.Shorthand)
		short, long := []string{"-" + flag.Shorthand}, []string{"--" + flag.Name}
		if flag.NoOptDefVal == "" {
			short, long = append(short, "x"), append(long, "x")
		}
		if flag.Shorthand == "j" {
			short, long = append(short, "-s"), append(long, "--list")
		}
		a, err := parseOptions(append(short, "static:t"))
		if err != nil {
			t.Errorf("%q: %v", short, err)
		}
		b, err := parseOptions(append(long, "static:t"))
		if err != nil {
			t.Errorf("%q: %v", long, err)
		}
		none, _ := parseOptions([]string{"static:t"})
		if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, none) {
			t.Errorf("%q is %+v, %q is %+v", short, a, long, b)
		}
	})
	for _, letter := range strings.Split(letters, "") {
		if !slices.Contains(seen, letter) {
			t.Errorf("no option -%s", letter)
		}
	}
}

func TestFlags(t *testing.T) {
	const plain = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request
	for _, test := range []struct {
		args string
		want maptypes.Flags
	}{
		{"", plain},
		{"-f", plain &^ maptypes.FlagFoldFix},
		{"-u", plain &^ maptypes.FlagUTF8Request},
		{"-w -r", plain&^maptypes.FlagDupWarn | maptypes.FlagDupReplace},
		{"-rw", plain&^maptypes.FlagDupWarn | maptypes.FlagDupIgnore},
		{"-nN", plain | maptypes.FlagTry1Null},
		{"-N -n", plain | maptypes.FlagTry0Null},
		{"-F", plain | maptypes.FlagSrcRHSIsFile},
	} {
		opt, err := parseOptions(strings.Fields(test.args))
		if err != nil || opt.flags != test.want {
			t.Errorf("%s: %v, %v, want %v", test.args, opt.flags, err, test.want)
		}
	}
}

// FuzzOptions: what is no option is an operand, unchanged and in its order.
func FuzzOptions(f *testing.F) {
	f.Add("-fq\nkey\nstatic:x")
	f.Add("-q=a\n--\n-x")
	f.Add("--query\n--\n--list=x")
	f.Add("-\n-d")
	f.Add("-vvqx\n\n-c")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(strings.ReplaceAll(line, "\x00", ""), "\n")
		opt, err := parseOptions(args)
		if err != nil {
			return
		}
		if n := len(args) - len(opt.tables); n < 0 || !slices.Equal(args[n:], opt.tables) {
			t.Errorf("%q: operands %q", args, opt.tables)
		}
	})
}
