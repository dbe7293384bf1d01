// Package rulefile is what the tables of ordered rules share: regexp, pcre and
// cidr (regexp_table(5), pcre_table(5), cidr_table(5)). A table is a file, or
// rules inside braces in the table's name. Its logical lines are rules that are
// tried from top to bottom; the first that matches gives the result. Rules
// between "if" and "endif" are tried only when the condition holds. A rule that
// cannot be used is skipped with a warning that says table and line.
//
// Source reads the lines and Stack pairs if with endif, for all three. Table is
// the whole table for the two types whose patterns are regular expressions;
// their engines are behind Pattern. An engine is asked only about the patterns
// that can match the key, as far as package prefilter can tell.
package rulefile
