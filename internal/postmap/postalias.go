package postmap

import (
	"fmt"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Postalias runs postalias(1) with the given command line and map types, and returns
// its exit status. It changes the process as Main does.
func Postalias(args []string, drivers []maptypes.Driver) int {
	return start(&options{aliases: true}, args, drivers)
}

// aliasDatabase returns the tables that newaliases(1) makes.
func (p *program) aliasDatabase() ([]string, error) {
	tables, err := p.params.String("alias_database")
	if err != nil {
		return nil, err
	}
	return textfile.SplitList(tables), nil
}

// sign stores the entries that end a table of aliases: a mark that it is complete,
// for Sendmail, and its age and place, for NIS, which wants those without trailing
// NUL bytes. An update replaces them.
func (p *program) sign(flags maptypes.Flags, store store) error {
	host, err := p.params.String("myhostname")
	if err != nil {
		return err
	}
	if p.action == update {
		flags |= maptypes.FlagDupReplace
	}
	nis := flags&^(maptypes.FlagTry1Null|maptypes.FlagFoldFix) | maptypes.FlagTry0Null
	for _, entry := range []struct {
		key, value string
		flags      maptypes.Flags
	}{
		{"@", "@", flags},
		{"YP_LAST_MODIFIED", fmt.Sprintf("%010d", time.Now().Unix()), nis},
		{"YP_MASTER_NAME", host, nis},
	} {
		r := maptypes.Request{Key: []byte(entry.key), Value: []byte(entry.value), Flags: entry.flags}
		if err := store(&r); err != nil {
			return err
		}
	}
	return nil
}
