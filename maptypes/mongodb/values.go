//go:build mongodb

package mongodb

import (
	"strconv"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/query"
)

// values takes the values of documents into a result.
type values struct {
	table  *table
	key    []byte
	result *query.Result
	count  int
}

// addAll adds the elements of a document or array, of which err says whether it
// could be taken apart.
func (v *values) addAll(elements []bson.RawElement, err error) error {
	for _, e := range elements {
		if err == nil {
			err = v.add(e.Key(), e.Value())
		}
	}
	return err
}

// add adds strings and integers, and those of arrays. Others are left out with a
// warning.
func (v *values) add(name string, value bson.RawValue) error {
	t := v.table
	var text string
	switch value.Type {
	case bson.TypeString:
		if text = value.StringValue(); !utf8.ValidString(text) {
			return maptypes.Retryf("%s: invalid UTF-8 in lookup result '%s'", t.name, text)
		}
	case bson.TypeInt32, bson.TypeInt64:
		text = strconv.FormatInt(value.AsInt64(), 10)
	case bson.TypeArray:
		return v.addAll(bson.Raw(value.Value).Elements())
	default:
		t.warnf("%s: failed to retrieve value of '%s', Unknown result type %d.", t.name, name, value.Type)
		return nil
	}
	if v.count++; t.expansionLimit > 0 && v.count > t.expansionLimit {
		return maptypes.Retryf("%s: expansion limit exceeded for key: '%s'", t.name, v.key)
	}
	return v.result.Add([]byte(text))
}
