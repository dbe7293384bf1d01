package config

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Type is the type of a parameter's value.
type Type string

// The types of values. Raw is a string that is not $-expanded; ReadOnly parameters are set by the program; Legacy ones
// exist only so that defaults can refer to them.
const (
	TypeString   Type = "string"
	TypeRaw      Type = "raw"
	TypeInt      Type = "int"  // 32 bits
	TypeLong     Type = "long" // 64 bits
	TypeTime     Type = "time"
	TypeBool     Type = "bool"
	TypeReadOnly Type = "readonly"
	TypeLegacy   Type = "legacy"
)

// Parameter describes a built-in parameter.
type Parameter struct {
	Name    string
	Type    Type
	Min     int64  // least value (time: seconds) or length of a string; 0 is no limit
	Max     int64  // greatest value or length; 0 is no limit
	Default string // unexpanded; empty for those that depend on the machine, see Params.Default
	Doc     string // one line, for our own parameters only
}

// parameterList has a line for each of Postfix's parameters, sorted by name. It is searched as it is: a worker needs
// some fifty of them, and reads the list at every start.
//
//go:embed parameters.txt
var parameterList string

// builtins are the parameters that have been looked up.
var builtins = struct {
	sync.Mutex
	known map[string]*Parameter
}{known: map[string]*Parameter{}}

// builtin returns the description of a parameter, or nil.
func builtin(name string) *Parameter {
	builtins.Lock()
	defer builtins.Unlock()
	p, ok := builtins.known[name]
	if !ok {
		p = findParameter(name)
		builtins.known[name] = p
	}
	return p
}

func findParameter(name string) *Parameter {
	for i := range ownParameters {
		if ownParameters[i].Name == name {
			return &ownParameters[i]
		}
	}
	line := findLine(parameterList, name)
	if line == "" {
		return nil
	}
	p, err := parseParameter(line)
	if err != nil {
		panic("parameters.txt: " + err.Error()) // a file of this package
	}
	return p
}

// findLine returns the line of a name in a list of lines that are sorted by the name in front; comments begin with a
// character that sorts before all names.
func findLine(list, name string) string {
	for list != "" {
		start := strings.LastIndexByte(list[:len(list)/2], '\n') + 1
		line, rest, _ := strings.Cut(list[start:], "\n")
		key, _, _ := strings.Cut(line, " ")
		switch {
		case key == name && name != "#":
			return line
		case key < name:
			list = rest
		default:
			list = list[:start]
		}
	}
	return ""
}

// parseParameter reads a line of parameters.txt.
func parseParameter(line string) (*Parameter, error) {
	head, value, ok := strings.Cut(line, "=")
	fields := strings.Fields(head)
	if !ok || len(fields) < 2 || len(fields) > 3 {
		return nil, fmt.Errorf("bad line: %s", line)
	}
	p := &Parameter{Name: fields[0], Type: Type(fields[1]), Default: strings.TrimPrefix(value, " ")}
	if len(fields) == 2 {
		return p, nil
	}
	low, high, ok := strings.Cut(fields[2], "..")
	for text, limit := range map[string]*int64{low: &p.Min, high: &p.Max} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			*limit = n
		} else if text != "" || !ok {
			return nil, fmt.Errorf("bad limits: %s", line)
		}
	}
	return p, nil
}

// Lookup returns the description of a built-in parameter.
func Lookup(name string) (Parameter, bool) {
	p := builtin(name)
	if p == nil {
		return Parameter{}, false
	}
	return *p, true
}

// Names returns the names of all built-in parameters in sorted order.
func Names() []string {
	var names []string
	for line := range strings.Lines(parameterList) {
		if name, _, found := strings.Cut(line, " "); found && !strings.HasPrefix(line, "#") {
			names = append(names, name)
		}
	}
	for i := range ownParameters {
		names = append(names, ownParameters[i].Name)
	}
	slices.Sort(names)
	return names
}

// intLimits returns the range of an integer type.
func (t Type) intLimits() (low, high int64) {
	if t == TypeLong {
		return math.MinInt64, math.MaxInt64
	}
	return math.MinInt32, math.MaxInt32
}
