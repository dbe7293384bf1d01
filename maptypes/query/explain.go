package query

import (
	"fmt"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Rows is what a step of a trace says about the outcome of a query.
func Rows(r *Result, err error) string {
	if err != nil {
		return maptypes.Outcome(nil, err)
	}
	if r.count == 1 {
		return "1 value"
	}
	return fmt.Sprintf("%d values", r.count)
}
