package config

import (
	_ "embed"
	"fmt"
	"maps"
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

//go:embed parameters.txt
var parameterList string

// builtins holds all parameters by name.
var builtins = sync.OnceValue(func() map[string]*Parameter {
	all := map[string]*Parameter{}
	for line := range strings.Lines(parameterList) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		p, err := parseParameter(line)
		if err != nil {
			panic("parameters.txt: " + err.Error()) // a file of this package
		}
		all[p.Name] = p
	}
	for i := range ownParameters {
		all[ownParameters[i].Name] = &ownParameters[i]
	}
	return all
})

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
	p, ok := builtins()[name]
	if !ok {
		return Parameter{}, false
	}
	return *p, true
}

// Names returns the names of all built-in parameters in sorted order.
func Names() []string {
	return slices.Sorted(maps.Keys(builtins()))
}

// intLimits returns the range of an integer type.
func (t Type) intLimits() (low, high int64) {
	if t == TypeLong {
		return math.MinInt64, math.MaxInt64
	}
	return math.MinInt32, math.MaxInt32
}
