package query

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/text/cases"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Domains is a table's list of the domains that it has entries for: names,
// "type:table" and /file/name, each with ! in front for the contrary. The first
// one that matches decides.
type Domains struct {
	name     string // of the table, for log lines
	patterns []pattern
	files    []string
	fold     func([]byte) []byte
	warnf    func(format string, args ...any)
}

type pattern struct {
	negated bool
	text    []byte           // folded; nil for a table
	table   *maptypes.Handle // or nil
}

// OpenDomains parses the list and opens the tables that it names.
func OpenDomains(env *maptypes.Env, name, list string) (*Domains, error) {
	d := &Domains{name: name, warnf: env.Warnf, fold: lower}
	if env.UTF8 {
		d.fold = foldUTF8
	}
	if err := d.add(env, list, false, 0); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func lower(text []byte) []byte { return maptypes.AppendLower(nil, text) }

func foldUTF8(text []byte) []byte { return cases.Fold().Bytes(text) }

// Files returns the /file/names of the list, for Opened.Watch.
func (d *Domains) Files() []string { return d.files }

// maxFileDepth is how deep files may name files: more is a file in itself.
const maxFileDepth = 10

// domainFlags are those that Postfix opens the tables of such lists with.
const domainFlags = maptypes.FlagLock | maptypes.FlagUTF8Request

func (d *Domains) add(env *maptypes.Env, list string, negated bool, depth int) error {
	if depth > maxFileDepth {
		return maptypes.Configf("%s: files are nested more than %d deep", d.name, maxFileDepth)
	}
	for item, rest, ok := textfile.NextWord(list, textfile.CommaSpace); ok; item, rest, ok = textfile.NextWord(rest, textfile.CommaSpace) {
		text := strings.TrimLeft(item, "!")
		p := pattern{negated: negated != ((len(item)-len(text))%2 == 1)}
		switch {
		case text == "":
			return maptypes.Configf("%s: no pattern after '!'", d.name)
		case text[0] == '/':
			if err := d.addFile(env, text, p.negated, depth+1); err != nil {
				return err
			}
			continue
		case strings.Contains(text, ":") && text[0] != '[':
			h, err := env.Open(text, maptypes.ReadOnly, domainFlags)
			if err != nil {
				return err
			}
			p.table = h
		default:
			p.text = d.fold([]byte(text))
		}
		d.patterns = append(d.patterns, p)
	}
	return nil
}

func (d *Domains) addFile(env *maptypes.Env, path string, negated bool, depth int) error {
	d.files = append(d.files, path)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open file %s: %w", path, maptypes.SystemError(err))
	}
	defer f.Close()
	lines := textfile.NewReader(f, path)
	for {
		line, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return maptypes.Retryf("%w", err)
		}
		if err := d.add(env, line.CString(), negated, depth); err != nil {
			return err
		}
	}
}

// Match reports whether the domain is in the list. An error has the class that
// a table of the list answered with.
func (d *Domains) Match(ctx context.Context, domain []byte) (bool, error) {
	domain = d.fold(domain)
	for _, p := range d.patterns {
		if p.table == nil {
			if bytes.Equal(domain, p.text) {
				return !p.negated, nil
			}
			continue
		}
		r := maptypes.Request{Key: domain, Flags: p.table.Flags(), Trace: maptypes.TraceOf(ctx)}
		_, err := p.table.Lookup(ctx, &r)
		switch class := maptypes.Class(err); class {
		case nil:
			return !p.negated, nil
		case maptypes.ErrNotFound:
		default:
			d.warnf("%s: %s: table lookup problem%s", d.name, p.table.Spec(), because(err))
			return false, class
		}
	}
	return false, nil
}

// because is the reason of an error, if it has one, after a colon.
func because(err error) string {
	if reason := maptypes.Reason(err); reason != "" {
		return ": " + reason
	}
	return ""
}

// Close closes the tables of the list.
func (d *Domains) Close() {
	for _, p := range d.patterns {
		if p.table != nil {
			p.table.Close()
		}
	}
}
