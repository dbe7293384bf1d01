package proxymap_test

import "strings"

// difference names conversations that we answer differently on purpose, by the
// beginning of their names; the README's table gives each kind.
type difference struct{ version, prefix, reason string }

type differenceList []difference

func (l differenceList) why(version, name string) string {
	for _, d := range l {
		if (d.version == "" || d.version == version) && strings.HasPrefix(name, d.prefix) {
			return d.reason
		}
	}
	return ""
}

var differences = differenceList{
	{"", "proto-other-dialect", "one server speaks both dialects"},
	{"", "proto-integer-negative", "a negative number is BAD"},
	{"", "pipelined-one-and-half", "what follows half a request is the rest of it"},
	{"3.7", "auth-file-list", "file contents are approved as in Postfix 3.11"},
	{"3.7", "auth-restriction-classes", "restriction classes are approved as in Postfix 3.11"},
	{"3.7", "auth-via-parameters-2", "the default lists are those of Postfix 3.11"},
	{"3.7", "debug-prefix-map", "Postfix 3.7 has no debug: type"},
	{"3.11", "proto-missing-flags", "nothing in the request tells the dialect"},
	{"3.11", "proto-missing-all", "nothing in the request tells the dialect"},
	{"3.11", "proto-open-missing-flags", "nothing in the request tells the dialect"},
	{"3.11", "half-request-eof", "nothing in the request tells the dialect"},
	{"", "readonly-update-delete-sequence-inline", "the order of the entries is that of the list, not that of a hash table"},
}
