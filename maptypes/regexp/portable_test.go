//go:build cgo

package regexp

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomExpr returns an expression made of pieces that are special somewhere,
// valid or not.
func randomExpr(rnd *rand.Rand) string {
	pieces := []string{
		"a", "b", "c", "A", "-", ".", "1", "_", " ", ",", "é", "\n",
		"^", "$", "*", "+", "?", "|", "(", ")", "(", ")", "(a|", "(b)", "{", "}", "{2}", "{1,2}", "{,1}", "{0}", "{2,1}", "{x}",
		`\(`, `\)`, `\|`, `\{`, `\}`, `\{1,2\}`, `\+`, `\?`, `\.`, `\\`, `\/`, `\d`, `\n`, `\Z`,
		`\w`, `\W`, `\s`, `\S`, `\b`, `\B`, `\<`, `\>`, "\\`", `\'`, `\1`, `\2`,
		"[abc]", "[^a]", "[]a]", "[^]a]", "[a-c]", "[A-z]", "[c-a]", "[-a]", "[a-]", "[a-b-c]", "[[:alpha:]]", "[[:Alpha:]]",
		"[[:upper:]]", "[^[:lower:]]", "[[:space:][:digit:]]", "[[.a.]]", "[[=b=]]", "[[.ab.]]", "[[.a.]-c]", "[[:digit:]-z]", "[a-[:digit:]]", "[", "]", "[a", "[[:", "[%--]", "[--a]", "[\\n]",
	}
	var b strings.Builder
	for range 1 + rnd.IntN(7) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}

func TestPortableAgreesWithTheCLibrary(t *testing.T) {
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(1, 2))
	keys := []string{"", "a", "b", "A", "ab", "AB", "aab", "abc", "cba", "a b", "a\nb", "\n", "a\n", "\nb", "a_1", "d", "z", "Z", "(a)", "{2}", "a.b-c", "a|b", "éa", "\xff", "^a$", "*", "+a?", `\d`, "a,b", "[a]", "1", "^"}
	matched, refused := 0, 0
	for range 20000 {
		expr, options := randomExpr(rnd), rnd.Uint32N(8)
		want, wantErr := newLibcRegex(expr, options, true)
		got, gotErr := compilePortable(expr, options, true)
		if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
			t.Errorf("%q, options %d: error %v, C library %v", expr, options, gotErr, wantErr)
			continue
		}
		if wantErr != nil {
			refused++
			continue
		}
		if got.Groups() != want.groups() {
			t.Errorf("%q, options %d: %d groups, C library %d", expr, options, got.Groups(), want.groups())
		}
		for _, key := range keys {
			if strings.Contains(key, "\n") && options&optNewline == 0 && strings.ContainsAny(expr, "^$") {
				// glibc lets a newline match between an anchor and the rest, as in
				// /$[^a]/, also when newlines are nothing special.
				continue
			}
			w, err1 := want.match([]byte(key), nil)
			g, err2 := got.Match(ctx, nil, []byte(key), nil)
			if w != g || err1 != nil || err2 != nil {
				text, _ := translate(expr, options)
				t.Errorf("%q, options %d, key %q: %v %v, C library %v %v (translated to %q)", expr, options, key, g, err2, w, err1, text)
			}
			if w {
				matched++
			}
		}
		want.free()
		got.Close()
	}
	if matched < 1000 || refused < 1000 {
		t.Errorf("%d matches, %d invalid expressions: the test has lost its material", matched, refused)
	}
}
