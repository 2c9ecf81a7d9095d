# Everything here is a short name for a command that can be typed as well; .ci/run is what decides.

GO ?= go

.DEFAULT_GOAL := help
DESTDIR ?=
PREFIX ?= /usr/local

.PHONY: help build install test race fuzz lint demo bench ci

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## one static binary: bin/holdfast
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/holdfast ./cmd/holdfast

install: ## the binary, the unit and its files, as root; DESTDIR=/tmp/image for a package
	install -D -m 0755 bin/holdfast $(DESTDIR)$(PREFIX)/bin/holdfast
	install -D -m 0644 docs/operating.md $(DESTDIR)$(PREFIX)/share/doc/holdfast/operating.md
	install -d -m 0755 $(DESTDIR)/etc/systemd/system
	sed 's|/usr/local/|$(PREFIX)/|' deploy/holdfast.service >$(DESTDIR)/etc/systemd/system/holdfast.service
	chmod 0644 $(DESTDIR)/etc/systemd/system/holdfast.service
	install -D -m 0644 deploy/holdfast.sysusers $(DESTDIR)/etc/sysusers.d/holdfast.conf
	install -d -m 0755 $(DESTDIR)/etc/holdfast
	test -e $(DESTDIR)/etc/holdfast/holdfast.env || install -m 0640 deploy/holdfast.env $(DESTDIR)/etc/holdfast/holdfast.env

test: ## every test
	$(GO) test ./...

race: ## every test under the race detector (needs gcc)
	$(GO) test -race ./...

fuzz: ## every fuzz target for a few seconds; FUZZ_SECONDS=600 for all of them together
	.ci/run fuzz

lint: ## gofmt, vet, staticcheck and the house rules
	.ci/run gofmt vet staticcheck pins house-rules

demo: ## a whole sale with a power cut in the middle, and a proof at the end
	$(GO) run ./cmd/holdfast demo

bench: ## one iteration of every benchmark, to see that they run
	.ci/run bench

ci: ## everything the merge gate does
	.ci/run
