package proxymap

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/maptypes/cache"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

const cacheParam = "proxymapd_cache"

// newCaches returns the caches that a service keeps, or nil: none for the write
// service, and for the read service those of its parameter, less those of tables
// that the write service updates. This worker could not know when.
func newCaches(params *config.Params, writer bool, warnf func(string, ...any)) (*cache.Set, error) {
	list, err := params.String(cacheParam)
	if err != nil {
		return nil, err
	}
	entries, err := cache.Parse(list)
	if err != nil {
		var bad *cache.ParseError
		if errors.As(err, &bad) {
			return nil, &config.Error{Param: cacheParam, Value: bad.Entry, Err: bad.Err}
		}
		return nil, err
	}
	if len(entries) == 0 || writer {
		return nil, nil
	}
	written, err := approve(params, true, func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	var kept []cache.Entry
	for _, e := range entries {
		if table, ok := written.in(e.Table); ok {
			warnf("%s: %s is not cached: clients of the %s service update %s, which %s lists",
				cacheParam, maillog.Printable(e.Table), WriteService, maillog.Printable(table), written.origin[table])
			continue
		}
		kept = append(kept, e)
	}
	if len(kept) == 0 {
		return nil, nil
	}
	return cache.NewSet(kept), nil
}

// in returns the approved table that a table is, or that is nested in it.
func (a *approval) in(table string) (string, bool) {
	if a.has(table) {
		return table, true
	}
	words := strings.FieldsFunc(table, func(r rune) bool { return strings.ContainsRune("{}"+textfile.CommaSpace, r) })
	for listed := range a.origin {
		name := resolved(listed)
		for _, word := range words {
			if word = resolved(word); word == name || strings.HasSuffix(word, ":"+name) {
				return listed, true
			}
		}
	}
	return "", false
}

// resolved returns a "type:/file/name" with the name that the file has when
// symbolic links are followed. The last part need not exist: types add suffixes.
func resolved(table string) string {
	i := strings.Index(table, ":/")
	if i < 0 {
		return table
	}
	path := filepath.Clean(table[i+1:])
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return table[:i+1] + path
}
