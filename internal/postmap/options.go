package postmap

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/proxymapd/proxymapd/maptypes"
)

// action is what the command does with the tables.
type action int

const (
	build    action = iota // make them anew from source files
	update                 // -i: add entries from standard input
	query                  // -q
	remove                 // -d
	list                   // -s
	checking               // --check
)

// options are the command line.
type options struct {
	aliases bool // the command is postalias(1)

	action action
	key    string         // of query and remove; "-": keys from standard input
	flags  maptypes.Flags // for opening tables and for requests

	configDir      string // -c
	configDirGiven bool

	headerKeys bool   // -h: standard input is a message: look up its headers
	bodyKeys   bool   // -b: and the lines of its body
	mimeKeys   bool   // -m: and parse MIME structure
	forceUTF8  bool   // -U: UTF-8 checks also with -b and -h
	asSelf     bool   // -o: do not become the owner of the source file
	plainMode  bool   // -p: do not take over the source file's permissions
	json       bool   // -j
	explain    bool   // --explain
	as         string // --as: one of explain.Kinds
	verbose    int    // -v

	tables []string // the operands, [type:]name
}

// errOneAction is the error of options that contradict each other.
var errOneAction = errors.New("specify only one of -d -i -q or -s")

// usageError says that the command line is not well formed. The text, if any,
// precedes the usage line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// parseOptions reads the command line without the program's name. The error is
// a *usageError, or one to be shown as it is.
func parseOptions(args []string) (*options, error) {
	opt := &options{}
	return opt, opt.parse(args)
}

// parse is parseOptions for the command that opt says.
func (opt *options) parse(args []string) error {
	opt.flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request
	flags := opt.flagSet()
	err := flags.ParseAll(spellOut(flags, args), func(flag *pflag.Flag, value string) error {
		return flag.Value.Set(value)
	})
	if err != nil {
		return optionError(err)
	}
	opt.tables = flags.Args()
	if opt.json && opt.action != query && opt.action != list && opt.action != checking {
		return errors.New("option -j requires -q or -s")
	}
	return opt.checkExplain()
}

// flagSet defines the options. They take effect in the order in which they are
// given.
func (opt *options) flagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet("postmap", pflag.ContinueOnError)
	f.Usage = func() {}
	f.SetInterspersed(false)
	on := func(letter, long, usage string, do func()) {
		opt.define(f, letter, long, usage, func() error { do(); return nil })
	}
	with := func(letter, long, usage string, do func(value string) error) {
		f.VarP(&argument{do}, long, letter, usage)
	}
	with("c", "config-dir", "directory of main.cf", func(value string) error {
		opt.configDir, opt.configDirGiven = value, true
		return nil
	})
	with("d", "delete", "delete a key; -: the keys on standard input", opt.keyed(remove))
	on("f", "no-fold", "do not fold keys to lower case", func() { opt.flags &^= maptypes.FlagFoldFix })
	opt.define(f, "i", "incremental", "add entries from standard input", func() error { return opt.choose(update) })
	on("j", "json", "print JSON", func() { opt.json = true })
	on("N", "null", "store a trailing NUL", func() { opt.replace(maptypes.FlagTry0Null, maptypes.FlagTry1Null) })
	on("n", "no-null", "store no trailing NUL", func() { opt.replace(maptypes.FlagTry1Null, maptypes.FlagTry0Null) })
	on("o", "keep-user", "do not become the owner of the source file", func() { opt.asSelf = true })
	on("p", "default-mode", "do not take over the mode of the source file", func() { opt.plainMode = true })
	with("q", "query", "look up a key; -: the keys on standard input", opt.keyed(query))
	on("r", "replace", "a later entry replaces an earlier one", func() {
		opt.replace(maptypes.FlagDupWarn|maptypes.FlagDupIgnore, maptypes.FlagDupReplace)
	})
	opt.define(f, "s", "list", "list all entries", func() error { return opt.choose(list) })
	on("u", "no-utf8", "no UTF-8 checks", func() { opt.flags &^= maptypes.FlagUTF8Request })
	on("v", "verbose", "log more; may be given several times", func() { opt.verbose++ })
	on("w", "ignore-duplicates", "no warnings about duplicate keys", func() {
		opt.replace(maptypes.FlagDupWarn|maptypes.FlagDupReplace, maptypes.FlagDupIgnore)
	})
	if !opt.aliases {
		opt.define(f, "", "check", "try tables, all that main.cf and master.cf name when none is given", func() error { return opt.choose(checking) })
		on("", "explain", "with -q: show every step of the lookup", func() { opt.explain = true })
		with("", "as", "with --explain: look up an address as Postfix does (virtual, canonical, access, transport)", func(value string) error {
			opt.as = value
			return nil
		})
		on("b", "body-keys", "look up the body lines of a message", func() { opt.bodyKeys = true })
		on("F", "values-are-files", "values in the source are names of files", func() { opt.flags |= maptypes.FlagSrcRHSIsFile })
		on("h", "header-keys", "look up the headers of a message", func() { opt.headerKeys = true })
		on("m", "mime", "parse the MIME structure of a message", func() { opt.mimeKeys = true })
		on("U", "force-utf8", "UTF-8 checks also with -b and -h", func() { opt.forceUTF8 = true })
	}
	return f
}

// replace changes flags.
func (opt *options) replace(clear, set maptypes.Flags) { opt.flags = opt.flags&^clear | set }

// choose selects the action, which can be done only once.
func (opt *options) choose(a action) error {
	if opt.action != build {
		return errOneAction
	}
	opt.action = a
	return nil
}

// keyed returns the setter of an action with a key.
func (opt *options) keyed(a action) func(string) error {
	return func(key string) error {
		opt.key = key
		return opt.choose(a)
	}
}

// define adds an option without an argument.
func (opt *options) define(f *pflag.FlagSet, letter, long, usage string, do func() error) {
	value := &argument{func(value string) error {
		if value != noArgument {
			return &usageError{fmt.Sprintf("option '--%s' doesn't allow an argument", long)}
		}
		return do()
	}}
	f.VarPF(value, long, letter, usage).NoOptDefVal = noArgument
}

// noArgument is what pflag passes for an option without an argument. Nothing on
// a command line can be equal to it.
const noArgument = "\x00"

// argument is an option as pflag wants it.
type argument struct{ set func(string) error }

func (a *argument) Set(value string) error { return a.set(value) }
func (a *argument) String() string         { return "" }
func (a *argument) Type() string           { return "" }

// spellOut writes the option letters of a command line as long options, one for
// each, as getopt(3) takes clusters apart. (pflag would take the "=" of "-q=x" for
// its own.) A letter that is unknown, or that lacks its argument, stays as it is.
func spellOut(flags *pflag.FlagSet, args []string) []string {
	var out []string
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--" {
		word := args[0]
		args = args[1:]
		if word[1] == '-' {
			out = append(out, word)
			flag := flags.Lookup(word[2:])
			if flag != nil && flag.NoOptDefVal == "" && len(args) > 0 {
				out, args = append(out, args[0]), args[1:]
			}
			continue
		}
		var spelled []string
		spelled, args = spellCluster(flags, word[1:], args)
		out = append(out, spelled...)
	}
	return append(out, args...)
}

// spellCluster is spellOut for the letters of one word; args are the words after
// it, of which it returns what is left.
func spellCluster(flags *pflag.FlagSet, letters string, args []string) (out, rest []string) {
	for letters != "" {
		flag := flags.ShorthandLookup(letters[:1])
		switch {
		case letters[0] == '-': // "--" would be the end of the options
			return append(out, "---"), args
		case flag == nil: // pflag would take an h for its own
			return append(out, "-"+noArgument+letters[:1]), args
		case flag.NoOptDefVal != "":
			out = append(out, "--"+flag.Name)
			letters = letters[1:]
			continue
		case len(letters) > 1:
			return append(out, "--"+flag.Name+"="+letters[1:]), args
		case len(args) > 0:
			return append(out, "--"+flag.Name+"="+args[0]), args[1:]
		default:
			return append(out, "-"+letters), args
		}
	}
	return out, args
}

// optionError gives pflag's errors the texts of getopt(3). A long option that is
// unknown reads as getopt(3) sees it: as the letter "-".
func optionError(err error) error {
	var unknown *pflag.NotExistError
	var lacking *pflag.ValueRequiredError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return &usageError{fmt.Sprintf("invalid option -- '%s'", strings.TrimPrefix(unknown.GetSpecifiedShortnames(), noArgument))}
	case errors.As(err, &unknown), errors.As(err, &syntax), errors.Is(err, pflag.ErrHelp):
		return &usageError{"invalid option -- '-'"}
	case errors.As(err, &lacking) && lacking.GetSpecifiedShortnames() != "":
		return &usageError{fmt.Sprintf("option requires an argument -- '%s'", lacking.GetSpecifiedShortnames())}
	case errors.As(err, &lacking):
		return &usageError{fmt.Sprintf("option '--%s' requires an argument", lacking.GetSpecifiedName())}
	default:
		return err
	}
}

// keysFromMessage reports whether standard input is a message.
func (opt *options) keysFromMessage() bool { return opt.headerKeys || opt.bodyKeys }

// usage follows an error on the command line, after "usage: " and the program's
// name. The text is Postfix's, because people look for it.
func (opt *options) usage() string {
	letters := "bfFhimnNoprsuUvw"
	if opt.aliases {
		letters = "Nfinoprsuvw"
	}
	return "[-" + letters + "] [-c config_dir] [-d key] [-q key] [map_type:]file..."
}
