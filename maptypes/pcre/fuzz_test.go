package pcre

import (
	"context"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes/rulefile/pcre2"
)

// FuzzExpression compiles and matches arbitrary expressions.
func FuzzExpression(f *testing.F) {
	f.Add("^(?<n>a+?)(?=b)|\\Qx\\E(?1)$", uint8(3), "aab")
	f.Add("(*LIMIT_MATCH=10)(a+)+$", uint8(0), "aaaaaaaaaaaa!")
	f.Add("\\K(?=a\\K)[[:alpha:]]*+", uint8(0x55), "\xffa")
	letters := []uint32{pcre2.Caseless, pcre2.Multiline, pcre2.DotAll, pcre2.Extended, pcre2.Anchored, pcre2.DollarEndOnly, pcre2.Ungreedy}
	f.Fuzz(func(t *testing.T, expr string, bits uint8, key string) {
		if len(expr) > 200 || len(key) > 50 {
			return
		}
		var options uint32
		for i, option := range letters {
			if bits&(1<<i) != 0 {
				options |= option
			}
		}
		re, err := pcre2.Compile(expr, options)
		if err != nil {
			return
		}
		defer re.Close()
		offsets := make([]int32, 2*(re.Groups()+1))
		hit, err := re.Match(context.Background(), nil, []byte(key), offsets)
		if err != nil || !hit {
			return
		}
		for i := 2; i < len(offsets); i += 2 {
			from, to := offsets[i], offsets[i+1]
			if from < -1 || int(to) > len(key) || (from == -1) != (to == -1) {
				t.Errorf("group %d at %d..%d of %d bytes", i/2, from, to, len(key))
			}
		}
	})
}
