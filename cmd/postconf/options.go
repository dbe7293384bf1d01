package main

import (
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

// The options. The first five are what to show, the others say how.
const (
	mainParams mode = 1 << iota
	showMaps
	masterEntries
	masterFields
	masterParams
	masterAllParams // -PP
	showDefaults
	showNonDefaults
	hideName
	hideValue
	expand
	fold
	override
	paramClass
)

const whatToShow = mainParams | showMaps | masterEntries | masterFields | masterParams

// optionNames are the options as messages name them, in the order in which they are listed.
var optionNames = []struct {
	name string
	mode mode
}{
	{"-C", paramClass}, {"-d", showDefaults}, {"-f", fold}, {"-F", masterFields}, {"-h", hideName}, {"-H", hideValue},
	{"-m", showMaps}, {"-M", masterEntries}, {"-n", showNonDefaults}, {"-o", override}, {"-p", mainParams},
	{"-P", masterParams}, {"-x", expand}, {"-PP", masterAllParams},
}

// exclusive are sets of options of which only one may be given.
var exclusive = []mode{
	whatToShow,
	showDefaults | showNonDefaults,
	override | showDefaults,
	hideName | hideValue,
}

// compatible says which options may be combined with one that says what to show.
var compatible = []struct{ what, with mode }{
	{showMaps, 0},
	{mainParams, fold | hideName | paramClass | expand | showDefaults | showNonDefaults | override | hideValue},
	{masterEntries, fold | override | expand},
	{masterFields, fold | hideName | override | expand | hideValue},
	{masterParams, fold | hideName | override | expand | hideValue | masterAllParams},
	{masterAllParams, fold | hideName | override | expand | hideValue | masterParams},
	{paramClass, mainParams | showDefaults | showNonDefaults},
}

// unsupported are the options of Postfix's postconf that this one does not have.
var unsupported = map[string]string{
	"a": "server-sasl", "A": "client-sasl", "b": "bounce-templates", "e": "edit", "j": "json", "l": "locks",
	"t": "dump-bounce-templates", "T": "tls", "X": "exclude", "#": "comment-out",
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
	add("f", "fold", "fold long lines", fold)
	add("F", "fields", "show columns of master.cf", masterFields)
	add("h", "hide-names", "show values without names", hideName)
	add("H", "hide-values", "show names without values", hideValue)
	add("m", "map-types", "list the map types", showMaps)
	add("M", "services", "show entries of master.cf", masterEntries)
	add("n", "non-defaults", "show what main.cf sets", showNonDefaults)
	flags.StringArrayVarP(&pc.overrides, "override", "o", nil, "name=value instead of the setting in main.cf")
	add("p", "parameters", "show parameters of main.cf (the default)", mainParams)
	params := flags.CountP("service-parameters", "P", "show parameters that master.cf sets (twice: all)")
	flags.BoolVarP(&pc.quiet, "quiet", "q", false, "no warnings about unused parameters")
	flags.CountP("verbose", "v", "accepted for compatibility")
	add("x", "expand", "expand $name in values", expand)
	flags.BoolVar(&pc.help, "help", false, "show this text")
	for letter, long := range unsupported {
		flags.BoolP(long, letter, false, "")
		_ = flags.MarkHidden(long) // fails only for a flag that does not exist
	}
	flags.SetInterspersed(false)
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; try --help", err)
	}
	if pc.help {
		fmt.Fprintf(pc.out, "usage: postconf [options] [name...]\n%s", flags.FlagUsages())
		return nil
	}
	for letter, long := range unsupported {
		if flags.Changed(long) {
			return fmt.Errorf("option -%s is not supported", letter)
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
	pc.mode |= paramClass
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
	if !pc.has(whatToShow) {
		pc.mode |= mainParams
	}
	if !pc.has(showMaps) && len(pc.args) > 0 && strings.Contains(pc.args[0], "=") {
		return fmt.Errorf("editing is not supported: \"%s\"", pc.args[0])
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
