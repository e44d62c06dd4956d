# The commands that people and CI rely on. Each works from a fresh clone.
.PHONY: build test soak demo bench clean

# Installed when package-lock.json is newer than what is installed.
node_modules/.package-lock.json: package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

build: node_modules/.package-lock.json
	npm run --silent build

test: build
	npm run --silent lint
	npm run --silent test

# Fresh seeds of every scenario: make soak MINUTES=60 [JOBS=2] [SCENARIOS="grow chaos"]
MINUTES ?= 1
JOBS ?= 2
soak: build
	node dist/test/sim/soak.js --minutes $(MINUTES) --jobs $(JOBS) $(SCENARIOS)

demo: build
	npm run --silent demo

bench: build
	npm run --silent bench -- all

clean:
	rm -rf dist node_modules
