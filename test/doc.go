// Package test holds the tests that run the whole of proxymapd, beside and mixed with Postfix's own programs. They need
// root and Debian's postfix packages; without them they are skipped, or fail when PROXYMAPD_TEST_REQUIRE_ALL=1.
package test
