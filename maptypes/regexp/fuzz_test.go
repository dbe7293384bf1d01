package regexp

import (
	"context"
	"testing"
)

// FuzzPortable translates and matches arbitrary expressions.
func FuzzPortable(f *testing.F) {
	f.Add("^(a|b)*\\1[[:alpha:]-]{1,2}$", byte(3), "abz")
	f.Add("\\(a\\)\\{1,3\\}\\1", byte(0), "aa")
	f.Add("[^[.-.]a-c]", byte(7), "\n")
	f.Fuzz(func(t *testing.T, expr string, options byte, key string) {
		if len(expr) > 200 || len(key) > 50 {
			return
		}
		p, err := compilePortable(expr, uint32(options%8), true)
		if err != nil {
			return
		}
		defer p.Close()
		offsets := make([]int32, 2*(p.Groups()+1))
		hit, err := p.Match(context.Background(), nil, []byte(key), offsets)
		if err != nil || !hit {
			return
		}
		for i := 0; i < len(offsets); i += 2 {
			from, to := offsets[i], offsets[i+1]
			if from < -1 || from > to || int(to) > len(key) || from == -1 && to != -1 {
				t.Errorf("group %d at %d..%d of %d bytes", i/2, from, to, len(key))
			}
		}
	})
}
