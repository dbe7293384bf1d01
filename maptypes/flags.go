package maptypes

import "strings"

// Flags are the request and instance properties of a table. The values are
// fixed by the proxymap protocol (Postfix: DICT_FLAG_*, dict.h).
type Flags uint32

// The flag bits. Bits 9 and 10 are no longer used by Postfix.
const (
	FlagDupWarn      Flags = 1 << 0  // warn about duplicate keys
	FlagDupIgnore    Flags = 1 << 1  // keep the first of duplicate keys, silently
	FlagTry0Null     Flags = 1 << 2  // keys and values may be stored without a trailing NUL
	FlagTry1Null     Flags = 1 << 3  // keys and values may be stored with a trailing NUL
	FlagFixed        Flags = 1 << 4  // keys are fixed strings
	FlagPattern      Flags = 1 << 5  // keys are patterns
	FlagLock         Flags = 1 << 6  // lock the file around each access
	FlagDupReplace   Flags = 1 << 7  // a duplicate key replaces the earlier entry
	FlagSyncUpdate   Flags = 1 << 8  // updates reach the disk before they are acknowledged
	FlagNoRegsub     Flags = 1 << 11 // no $number substitution in results
	FlagNoProxy      Flags = 1 << 12 // open proxy:type:name directly
	FlagNoUnauth     Flags = 1 << 13 // no data from an unauthenticated source
	FlagFoldFix      Flags = 1 << 14 // fold the case of keys for tables of fixed strings
	FlagFoldMul      Flags = 1 << 15 // fold the case of keys for tables of patterns
	FlagOpenLock     Flags = 1 << 16 // exclusive lock for as long as the table is open
	FlagBulkUpdate   Flags = 1 << 17 // many updates, one commit
	FlagMultiWriter  Flags = 1 << 18 // several writers at once are safe
	FlagUTF8Request  Flags = 1 << 19 // check and fold keys as UTF-8 if possible
	FlagUTF8Active   Flags = 1 << 20 // the UTF-8 layer is in place
	FlagSrcRHSIsFile Flags = 1 << 21 // values in the source are names of files
	FlagSurrogate    Flags = 1 << 22 // the table could not be opened

	// FlagFoldAny is both kinds of case folding.
	FlagFoldAny = FlagFoldFix | FlagFoldMul
)

var flagNames = []struct {
	flag Flags
	name string
}{
	{FlagDupWarn, "dup_warn"}, {FlagDupIgnore, "dup_ignore"},
	{FlagTry0Null, "try0null"}, {FlagTry1Null, "try1null"},
	{FlagFixed, "fixed"}, {FlagPattern, "pattern"}, {FlagLock, "lock"},
	{FlagDupReplace, "replace"}, {FlagSyncUpdate, "sync_update"},
	{FlagNoRegsub, "no_regsub"}, {FlagNoProxy, "no_proxy"},
	{FlagNoUnauth, "no_unauth"}, {FlagFoldFix, "fold_fix"},
	{FlagFoldMul, "fold_mul"}, {FlagOpenLock, "open_lock"},
	{FlagBulkUpdate, "bulk_update"}, {FlagMultiWriter, "multi_writer"},
	{FlagUTF8Request, "utf8_request"}, {FlagUTF8Active, "utf8_active"},
	{FlagSrcRHSIsFile, "src_rhs_is_file"}, {FlagSurrogate, "surrogate"},
}

// String lists the names of the flags that are set, joined by "|"; unknown
// bits are left out, and no flags at all give "none".
func (f Flags) String() string {
	var names []string
	for _, fn := range flagNames {
		if f&fn.flag != 0 {
			names = append(names, fn.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "|")
}
