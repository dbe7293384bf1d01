# Everything that a person or CI does with this repository. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

GO       ?= go
PREFIX   ?= /usr/local
DESTDIR  ?=
BINDIR   := bin
LIBEXEC  := $(DESTDIR)$(PREFIX)/libexec/proxymapd
MANDIR   := $(DESTDIR)$(PREFIX)/share/man
COMMANDS := $(notdir $(wildcard cmd/*))
FUZZTIME ?= 10s
BENCH    ?= .
ROWS     ?=
PKG      ?= ./...

# cgo where a C compiler is found, unless the environment has decided.
CGO_ENABLED ?= $(if $(shell command -v $${CC:-cc} 2>/dev/null),1,0)
export CGO_ENABLED

# Writing hash: and btree: needs Berkeley DB's headers: the tag libdb.
LIBDB    := $(if $(filter 1,$(CGO_ENABLED)),$(shell printf '\043include <db.h>\n' | $${CC:-cc} -E - >/dev/null 2>&1 && echo -tags=libdb))
GOFLAGS  := $(strip $(filter-out -tags=libdb,$(shell $(GO) env GOFLAGS)) $(LIBDB))
export GOFLAGS

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help build static demo packages test test-static race fuzz bench bench-go bench-maps bench-build profile lint install uninstall man clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 14

build: ## build the commands into bin/
	@mkdir -p $(BINDIR)
	$(GO) build -o $(BINDIR)/ ./cmd/...
	@echo "built $(COMMANDS) in $(BINDIR)/ (CGO_ENABLED=$(CGO_ENABLED); see docs/builds.md)"

static: ## build one static binary per command, without cgo
	$(MAKE) CGO_ENABLED=0 build

demo: build ## start a master on small tables in a private directory and show what happens
	test/demo.sh $(BINDIR)

packages: ## install the Debian packages that the tests use (as root), or say which are missing
	test/packages.sh

test: packages ## run every test
	$(GO) test -count=1 $(TESTFLAGS) $(PKG)
	$(GO) test -count=1 $(TESTFLAGS) -tags mongodb ./maptypes/mongodb ./internal/manpages

# Left out are the packages whose tests write lmdb tables through whole programs: a build without cgo can only read them.
test-static: ## build without cgo and run the tests of the packages
	$(MAKE) CGO_ENABLED=0 BINDIR=$(BINDIR)/static build
	CGO_ENABLED=0 GOFLAGS='$(filter-out -tags=libdb,$(GOFLAGS))' $(GO) test -count=1 $(TESTFLAGS) \
	  $$(CGO_ENABLED=0 $(GO) list ./... | grep -vE '/(test|internal/postfixtest|cmd/postmap)$$')

race: packages ## run every test with the race detector, in the tests and in the commands they start
	CGO_ENABLED=1 GOFLAGS='$(GOFLAGS) -race' $(GO) test -count=1 $(TESTFLAGS) $(PKG)

fuzz: ## run each fuzz target for FUZZTIME
	test/fuzz.sh $(FUZZTIME)

bench: packages ## one worker of ours beside one of Postfix's and a bare echo server (as root; ROWS="static mysql" for some rows)
	BENCH_ROWS='$(ROWS)' $(GO) test -timeout 60m -run '^$$' -bench '^BenchmarkSideBySide$$' -benchtime 1x ./test/sidebyside

bench-go: ## run the Go benchmarks that match BENCH in PKG
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

bench-maps: packages ## lookups per second of each map type beside Postfix's (as root; takes some minutes)
	$(GO) test -timeout 60m -run '^$$' -bench '^BenchmarkMaps$$' -benchtime 1x ./test/

bench-build: packages ## how long postmap takes to build tables of a million lines, beside Postfix's
	$(GO) test -timeout 60m -run '^$$' -bench '^BenchmarkBuild$$' -benchtime 1x ./test/

profile: ## profile the benchmarks of one package: make profile PKG=./protocol BENCH=Read
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -cpuprofile cpu.prof -memprofile mem.prof -o bench.test $(PKG)
	$(GO) tool pprof -top -nodecount 25 bench.test cpu.prof
	$(GO) tool pprof -top -nodecount 25 -sample_index=alloc_space bench.test mem.prof

lint: ## gofmt, go vet and staticcheck, with and without cgo
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './bin/*')); \
	  if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags mongodb ./maptypes/mongodb
	CGO_ENABLED=0 GOFLAGS='$(filter-out -tags=libdb,$(GOFLAGS))' $(GO) vet ./...
	@if $(GO) run $(STATICCHECK) -version; then \
	  $(GO) run $(STATICCHECK) ./... && CGO_ENABLED=0 GOFLAGS='$(filter-out -tags=libdb,$(GOFLAGS))' $(GO) run $(STATICCHECK) ./...; \
	else \
	  echo "staticcheck cannot be downloaded here: not run"; \
	fi

install: build man ## install the commands and manual pages under DESTDIR and PREFIX
	install -d $(LIBEXEC)
	install -m 755 $(addprefix $(BINDIR)/,$(COMMANDS)) $(LIBEXEC)/
	@for page in $(BINDIR)/man/man?/*; do install -D -m 644 $$page $(LIBEXEC)/man/$${page#$(BINDIR)/man/}; done
	@for page in $(BINDIR)/man/man5/proxymapd*; do install -D -m 644 $$page $(MANDIR)/man5/$${page##*/}; done

uninstall: ## remove what install has put there
	rm -rf $(LIBEXEC)
	rm -f $(MANDIR)/man5/proxymapd.5 $(MANDIR)/man5/proxymapd-*.5

man: ## make manual pages from docs/man and docs/maps in bin/man/
	$(GO) run ./internal/manpages/mkman docs $(BINDIR)/man

clean: ## remove what the other targets have built
	rm -rf $(BINDIR) cpu.prof mem.prof bench.test
