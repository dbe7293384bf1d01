package pcre2

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
)

func compile(t *testing.T, expr string, options uint32) *Regexp {
	t.Helper()
	re, err := Compile(expr, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(re.Close)
	return re
}

func TestOffsets(t *testing.T) {
	for _, tc := range []struct {
		expr    string
		options uint32
		key     string
		offsets []int32 // nil: no match
	}{
		{"", 0, "", []int32{0, 0}},
		{"(a)|(b)", 0, "xb", []int32{1, 2, -1, -1, 1, 2}},
		{"(a)|(b)", 0, "xa", []int32{1, 2, 1, 2, -1, -1}},
		{"a()b", Caseless, "AB", []int32{0, 2, 1, 1}},
		{"^b", Anchored, "ab", nil},
		{"b", Anchored, "ab", nil},
		{"^b$", Multiline, "a\nb\nc", []int32{2, 3}},
		{"a.b", 0, "a\nb", nil},
		{"a.b", DotAll, "a\nb", []int32{0, 3}},
		{"a$", 0, "a\n", []int32{0, 1}},
		{"a$", DollarEndOnly, "a\n", nil},
		{"a b # c", Extended, "ab", []int32{0, 2}},
		{"(a+)", Ungreedy, "aa", []int32{0, 1, 0, 1}},
		{"\xff(.)", 0, "\xff\xfe", []int32{0, 2, 1, 2}},
	} {
		re := compile(t, tc.expr, tc.options)
		offsets := make([]int32, 2*(re.Groups()+1))
		hit, err := re.Match(context.Background(), nil, []byte(tc.key), offsets)
		if !hit {
			offsets = nil
		}
		if err != nil || !slices.Equal(offsets, tc.offsets) {
			t.Errorf("%q, options %#x, key %q: offsets %v, %v; want %v", tc.expr, tc.options, tc.key, offsets, err, tc.offsets)
		}
	}
}

func TestCompileError(t *testing.T) {
	_, err := Compile("a(b", 0)
	bad, ok := errors.AsType[*CompileError](err)
	if !ok || bad.Offset != 3 || bad.Error() != "missing closing parenthesis" {
		t.Errorf("error %#v", err)
	}
}

// TestLimits: a key of 100 kB can be walked back through byte by byte; memory
// and time have an end.
func TestLimits(t *testing.T) {
	ctx := context.Background()
	pairs := compile(t, "^(?:(a)|(b))*$", 0)
	if hit, err := pairs.Match(ctx, nil, bytes.Repeat([]byte("ab"), 50_000), nil); err != nil || !hit {
		t.Errorf("100 kB: %v, %v", hit, err)
	}
	for _, tc := range []struct {
		re   *Regexp
		key  []byte
		text string
	}{
		{pairs, bytes.Repeat([]byte("ab"), 1_000_000), "heap limit exceeded"},
		{compile(t, "^(a+)+\\d", 0), append(bytes.Repeat([]byte("a"), 40), '!'), "match limit exceeded"},
	} {
		_, err := tc.re.Match(ctx, nil, tc.key, nil)
		if bad, ok := errors.AsType[*MatchError](err); !ok || bad.Error() != tc.text {
			t.Errorf("%d bytes: error %v, want %s", len(tc.key), err, tc.text)
		}
	}
	if hit, err := pairs.Match(ctx, nil, []byte("ab"), nil); err != nil || !hit {
		t.Errorf("after the errors: %v, %v", hit, err)
	}
}
