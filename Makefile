# Everything here is a short name for a command that can be typed as well; .ci/run is what decides.

GO ?= go

.DEFAULT_GOAL := help
.PHONY: help build test race fuzz lint demo bench ci

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## one static binary: bin/holdfast
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/holdfast ./cmd/holdfast

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
