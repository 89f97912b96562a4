# make            check, test and build
# make check      format, go.mod, vet, staticcheck
# make test       all tests, with the race detector
# make build      bin/parley, static
# make scenarios  the recorded scenarios against bin/parley, with both players
# make clients    OpenClaw's own clients, installed with npm, and a browser against the daemon
# make attacks    floods, JSON bombs, hostile values and slow consumers in their full size
# make release    archives, materials and checksums of VERSION in dist/out, for SYSTEMS (all)
# make release-check  what lies in dist/out is whole, and its binaries static
# make crash      kill the daemon ROUNDS times while clients write, and more of the kind
# make fuzz       every fuzz target of FUZZPKGS (all) for FUZZTIME
# make bench      a gateway under load, beside a floor; the table in doc/performance.md (BENCHFLAGS)
# make bench-short  only see that all of that runs
# make bench-parts  benchmarks of the parts, for BENCHTIME

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME    ?= 10s
FUZZPKGS    ?= ./...
ROUNDS      ?= 400
BENCHTIME   ?= 2s
BENCHFLAGS  ?=
TESTFLAGS   ?=
SYSTEMS     ?=
CLIENTS     ?= openclaw@2026.3.24 node@22.23.3 wscat@6.1.0 openclaw-node@0.1.0

.PHONY: all check test build release release-check scenarios clients attacks crash fuzz bench bench-short bench-parts clean

all: check test build

check:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

test:
	$(GO) test -race -shuffle=on $(TESTFLAGS) ./...

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/parley ./cmd/parley

release:
	mkdir -p dist/completions dist/man
	for shell in bash zsh fish; do $(GO) run ./cmd/parley completion $$shell >dist/completions/parley.$$shell || exit 1; done
	$(GO) run -ldflags '-X main.version=$(VERSION)' ./cmd/parley man >dist/man/parley.1
	$(GO) run ./internal/release -version $(VERSION) -out dist/out $(SYSTEMS)

release-check:
	$(GO) run ./internal/release -check dist/out

scenarios: build
	$(GO) run ./internal/nodeplay -gateway bin/parley

clients:
	@test "$$(cat .cache/openclaw/installed 2>/dev/null)" = "$(CLIENTS)" || \
		{ npm install --prefix .cache/openclaw --no-audit --no-fund --loglevel=error $(CLIENTS) && echo "$(CLIENTS)" >.cache/openclaw/installed; }
	OPENCLAW_MODULES=$(CURDIR)/.cache/openclaw/node_modules $(GO) test -count=1 -v -timeout 20m ./internal/realclients

attacks:
	$(GO) test -count=1 -v -run 'Flood|JSONBombs|Hostile|ManySlow' ./internal/gateway -args -floods 5000 -bombs 1000000 -hostile 100 -subscribers 1000

crash:
	mkdir -p .cache/crash
	$(GO) test -count=1 -v -timeout 60m -artifacts -outputdir .cache/crash ./internal/crashtest -args -rounds $(ROUNDS)

fuzz:
	GO='$(GO)' scripts/fuzz.sh $(FUZZTIME) $(FUZZPKGS)

bench bench-short: build
	$(GO) build -o bin/parley-bench ./cmd/parley-bench
	bin/parley-bench -parley bin/parley $(if $(filter bench-short,$@),-short) $(BENCHFLAGS)

bench-parts:
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem ./internal/gatewaytest
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem ./internal/sessions ./internal/transcript

clean:
	rm -rf bin .cache dist/out dist/completions dist/man
