package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// mode is a set of options.
type mode uint

// The options. The first six say what the command is about, the next three change it, and the others say how to show it.
const (
	mainParams mode = 1 << iota
	showLocks
	showMaps
	masterEntries
	masterFields
	masterParams
	edit
	exclude
	commentOut
	masterAllParams // -PP
	showDefaults
	showNonDefaults
	hideName
	hideValue
	expand
	fold
	override
	asJSON
)

const (
	masterModes = masterEntries | masterFields | masterParams
	majorModes  = mainParams | showLocks | showMaps | masterModes
	changes     = edit | exclude | commentOut
)

// optionNames are the options as messages name them, in the order in which they are listed.
var optionNames = []struct {
	name string
	mode mode
}{
	{"-d", showDefaults}, {"-e", edit}, {"-f", fold}, {"-F", masterFields}, {"-h", hideName}, {"-H", hideValue},
	{"-j", asJSON}, {"-l", showLocks}, {"-m", showMaps}, {"-M", masterEntries}, {"-n", showNonDefaults}, {"-o", override},
	{"-p", mainParams}, {"-P", masterParams}, {"-x", expand}, {"-X", exclude}, {"-#", commentOut}, {"-PP", masterAllParams},
}

// exclusive are sets of options of which only one may be given.
var exclusive = []mode{
	majorModes,
	masterAllParams | changes,
	showDefaults | showNonDefaults | changes,
	fold | changes,
	expand | changes,
	override | showDefaults | changes,
	hideName | hideValue | changes,
}

// compatible says which options may be combined with another one.
var compatible = []struct{ what, with mode }{
	{showLocks, 0},
	{showMaps, 0},
	{mainParams, changes | fold | hideName | expand | showDefaults | showNonDefaults | override | hideValue | asJSON},
	{masterEntries, changes | fold | override | expand | asJSON},
	{masterFields, edit | fold | hideName | override | expand | hideValue | asJSON},
	{masterParams, edit | exclude | fold | hideName | override | expand | hideValue | asJSON | masterAllParams},
	{masterAllParams, fold | hideName | override | expand | hideValue | asJSON | masterParams},
	{asJSON, mainParams | masterModes | masterAllParams | override | expand | showNonDefaults | showDefaults},
}

// unsupported are the options of Postfix's postconf that this one does not have, with what they are for.
var unsupported = []struct{ letter, long, subject string }{
	{"a", "server-sasl", "SASL plug-in types"},
	{"A", "client-sasl", "SASL plug-in types"},
	{"b", "bounce-templates", "bounce message templates"},
	{"t", "dump-bounce-templates", "bounce message templates"},
	{"T", "tls", "TLS features"},
}

// postconf is one run of the command.
type postconf struct {
	out    io.Writer
	stderr io.Writer
	late   []string

	mode      mode
	help      bool
	class     class // what -C selects
	quiet     bool  // -q: no warnings about unused parameters
	dir       string
	dirGiven  bool // by -c or MAIL_CONFIG
	overrides []string
	args      []string

	params      *config.Params    // for the defaults
	main        map[string]string // main.cf and -o
	nodes       map[string]*node  // known parameters
	restriction map[string]bool   // names in smtpd_restriction_classes of main.cf
	services    []*service
	settings    map[string]map[string]string // what -o sets in master.cf, by service name and type
	clients     map[string]bool              // database client files that were checked
	deprecated  bool                         // a deprecated parameter was found
}

func (pc *postconf) has(m mode) bool { return pc.mode&m != 0 }

func (pc *postconf) parseOptions(args []string) error {
	flags := pflag.NewFlagSet("postconf", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SortFlags = false
	switches := map[string]mode{}
	add := func(letter, long, usage string, m mode) {
		flags.BoolP(long, letter, false, usage)
		switches[long] = m
	}
	flags.StringVarP(&pc.dir, "config-dir", "c", "", "directory of main.cf and master.cf")
	class := flags.StringP("class", "C", "", "show parameters of this class only: builtin, service, user, all")
	add("d", "defaults", "show defaults instead of settings", showDefaults)
	add("e", "edit", "change main.cf, or with -M, -F or -P master.cf (implied by name=value)", edit)
	add("f", "fold", "fold long lines", fold)
	add("F", "fields", "show columns of master.cf", masterFields)
	add("h", "hide-names", "show values without names", hideName)
	add("H", "hide-values", "show names without values", hideValue)
	add("j", "json", "show one JSON object per line", asJSON)
	add("l", "lock-types", "list the mailbox locking methods", showLocks)
	add("m", "map-types", "list the map types", showMaps)
	add("M", "services", "show entries of master.cf", masterEntries)
	add("n", "non-defaults", "show what main.cf sets", showNonDefaults)
	flags.StringArrayVarP(&pc.overrides, "override", "o", nil, "name=value instead of the setting in main.cf")
	add("p", "parameters", "show parameters of main.cf (the default)", mainParams)
	params := flags.CountP("service-parameters", "P", "show parameters that master.cf sets (twice: all)")
	flags.BoolVarP(&pc.quiet, "quiet", "q", false, "no warnings about unused parameters")
	flags.CountP("verbose", "v", "accepted for compatibility")
	add("x", "expand", "expand $name in values", expand)
	add("X", "exclude", "remove entries from main.cf, with -M from master.cf, or with -P options from its entries", exclude)
	add("#", "comment-out", "turn entries of main.cf, or with -M of master.cf, into comments", commentOut)
	flags.BoolVar(&pc.help, "help", false, "show this text")
	addUnsupported(flags)
	flags.SetInterspersed(false)
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; try --help", err)
	}
	if pc.help {
		fmt.Fprintf(pc.out, "usage: postconf [options] [name...]\n%s", flags.FlagUsages())
		return nil
	}
	for _, o := range unsupported {
		if flags.Changed(o.long) {
			return fmt.Errorf("option -%s is not supported: use Postfix's own postconf for %s", o.letter, o.subject)
		}
	}
	for long, m := range switches {
		if on, err := flags.GetBool(long); err == nil && on {
			pc.mode |= m
		}
	}
	switch {
	case *params > 1:
		pc.mode |= masterParams | masterAllParams
	case *params == 1:
		pc.mode |= masterParams
	}
	if len(pc.overrides) > 0 {
		pc.mode |= override
	}
	pc.args = flags.Args()
	if err := pc.setClass(flags.Changed("class"), *class); err != nil {
		return err
	}
	pc.setDir(flags.Changed("config-dir"))
	return pc.checkOptions()
}

// addUnsupported makes the options known that are refused.
func addUnsupported(flags *pflag.FlagSet) {
	for _, o := range unsupported {
		if o.letter == "T" { // the only one with an argument
			flags.StringP(o.long, o.letter, "", "")
		} else {
			flags.BoolP(o.long, o.letter, false, "")
		}
		_ = flags.MarkHidden(o.long) // fails only for a flag that does not exist
	}
}

func (pc *postconf) setDir(given bool) {
	_, inEnvironment := os.LookupEnv("MAIL_CONFIG")
	pc.dirGiven = given || inEnvironment
	if !given {
		pc.dir = config.Dir("")
	}
}

// setClass reads the argument of -C, a list of classes.
func (pc *postconf) setClass(given bool, list string) error {
	pc.class = allClasses
	if !given {
		return nil
	}
	pc.class = 0
	for _, name := range textfile.SplitList(list) {
		c, ok := map[string]class{"builtin": builtin, "service": perService, "user": user, "all": allClasses}[strings.ToLower(name)]
		if !ok {
			return fmt.Errorf("unknown -C option value \"%s\" in \"%s\"", name, list)
		}
		pc.class |= c
	}
	return nil
}

// checkOptions refuses options that contradict each other.
func (pc *postconf) checkOptions() error {
	if !pc.has(majorModes) {
		pc.mode |= mainParams
	}
	if pc.has(mainParams|masterModes) && len(pc.args) > 0 && strings.Contains(pc.args[0], "=") {
		pc.mode |= edit
	}
	for _, set := range exclusive {
		if both := pc.mode & set; both&(both-1) != 0 {
			return fmt.Errorf("specify one of %s", both)
		}
	}
	for _, c := range compatible {
		if excess := pc.mode &^ (c.what | c.with); pc.has(c.what) && excess != 0 {
			return fmt.Errorf("with option %s, do not specify %s", c.what, excess)
		}
	}
	switch {
	case len(pc.args) > 0:
		return nil
	case pc.has(edit):
		return errors.New("-e requires name=value argument")
	case pc.has(changes):
		return errors.New("missing service argument")
	}
	return nil
}

// String lists the options.
func (m mode) String() string {
	var names []string
	for _, o := range optionNames {
		if m&o.mode != 0 {
			names = append(names, o.name)
		}
	}
	return strings.Join(names, " ")
}

// path returns the name of a configuration file.
func (pc *postconf) path(name string) string {
	return strings.TrimSuffix(pc.dir, "/") + "/" + filepath.Base(name)
}

// sortedKeys returns the keys of a map in byte order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
