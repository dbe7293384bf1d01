package http

import (
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
)

// shownURL is the URL of a request as a trace shows it: without headers, and
// without the parameters of the query that are the same for every key, since a
// password of the server may be among them.
func (t *table) shownURL(uri []byte) string {
	scheme := "http://"
	if t.target.secure {
		scheme = "https://"
	}
	path, parameters, ok := strings.Cut(string(uri), "?")
	if !ok {
		return scheme + t.target.header + path
	}
	_, template, _ := strings.Cut(t.target.path, "?")
	templates, list := strings.Split(template, "&"), strings.Split(parameters, "&")
	for i, parameter := range list {
		if i < len(templates) && !isFixed(templates[i]) {
			continue
		}
		name, _, _ := strings.Cut(parameter, "=")
		list[i] = name + "=..."
	}
	return scheme + t.target.header + path + "?" + strings.Join(list, "&")
}

// isFixed reports whether a part of a template has no place for the key.
func isFixed(template string) bool {
	return !strings.Contains(strings.ReplaceAll(template, "%%", ""), "%")
}

// explain is what a step says about an answer.
func explain(a *answer, err error) string {
	if err != nil {
		return maptypes.Outcome(nil, err)
	}
	return fmt.Sprintf("status %d, %d bytes", a.status, len(a.body))
}
