package lint

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// module is the path of our own module: every import below it is ours.
const module = "holdfast"

// layer is a package, with what lies below it, and what of ours it may import. The longest matching directory counts. Tests obey the same
// arrows, except that they may also import what lies under internal. A package whose name ends in "test" serves tests: tests import it, and
// packages like it, and nothing else does.
type layer struct {
	dir string
	may []string
}

// layers go from the ground up. No import runs upwards, and the four above the ground do not import each other: node joins them through the
// small interfaces they declare. The log speaks raft and bytes, not orders, so it does not even know the domain.
var layers = []layer{
	{"stock", []string{"stock"}},
	{"wal", []string{"wal"}},
	{"cluster/placement", []string{"stock", "cluster/placement"}},
	{"cluster/meta", []string{"stock", "cluster/placement", "cluster/meta"}},
	{"cluster/control", []string{"stock", "cluster"}},
	{"cluster/backup", []string{"stock", "cluster"}},
	{"cluster/forward", []string{"stock", "cluster"}},
	{"cluster", []string{"stock", "wal", "cluster"}},
	{"actors", []string{"stock", "actors"}},
	{"api/client", []string{"stock", "api"}},
	{"api", []string{"stock", "api"}},
	{"storage", []string{"stock", "storage"}},
	{"node", []string{"stock", "wal", "cluster", "actors", "api", "storage", "node"}},
	{"bench/load", nil},
	{"bench/probe", nil},
	{"bench/plot", nil},
	{"bench/result", []string{"bench/sale"}},
	{"bench/report", []string{"bench/sale", "bench/result", "bench/plot"}},
	{"bench/sale", []string{"bench/sale"}},
	{"bench/audit", []string{"bench/sale", "bench/audit"}},
	{"bench", []string{"stock", "wal", "cluster", "actors", "api", "storage", "node", "bench"}},
	{"cmd", []string{"stock", "wal", "cluster", "actors", "api", "storage", "node", "bench", "cmd"}},
	{"internal", nil},
}

// containment says which packages may import something that is not ours. A directory stands for what lies below it too.
type containment struct {
	// imported is an import path and what lies below it; the longest match counts.
	imported string
	// code may import it anywhere, tests only in their tests; everywhere stands for every package.
	code, tests []string
}

const everywhere = "."

// Shorthands of the table: what stands on the ground, and everything but the domain, which has no use for a library that does something.
var (
	aboveCore = []string{"wal", "cluster", "actors", "api", "storage", "node", "bench", "cmd"}
	serving   = []string{"api", "node", "bench", "cmd"}
	anyTest   = []string{everywhere}
)

// contained lists every third party, and those parts of the standard library that have one place. What is not in the table may not be
// imported at all: a new dependency enters here first.
var contained = []containment{
	{"net/http", serving, aboveCore},
	{"database/sql", []string{"storage", "bench/rival"}, []string{"node", "bench", "cmd"}},
	{"modernc.org/sqlite", []string{"storage"}, []string{"node", "bench", "cmd"}},
	{"github.com/jackc/pgx/v5", []string{"storage", "bench/rival"}, nil},
	{"github.com/asynkron/protoactor-go", []string{"actors"}, nil},
	{"github.com/asynkron/protoactor-go/remote", nil, nil},
	{"github.com/asynkron/protoactor-go/cluster", nil, nil},
	{"github.com/asynkron/protoactor-go/persistence", nil, nil},
	{"github.com/hashicorp/raft", []string{"cluster", "wal", "bench/rival"}, nil},
	{"github.com/hashicorp/go-hclog", []string{"cluster", "wal", "bench/rival"}, nil},
	{"github.com/redis/go-redis/v9", []string{"bench/rival"}, nil},
	{"github.com/hashicorp/go-metrics", []string{"cluster", "node"}, nil},
	{"github.com/vmihailenco/msgpack/v5", []string{"stock", "cluster"}, []string{"stock", "cluster"}},
	{"github.com/cespare/xxhash/v2", []string{everywhere}, nil},
	{"github.com/HdrHistogram/hdrhistogram-go", []string{"bench", "cmd"}, aboveCore},
	{"github.com/failsafe-go/failsafe-go", []string{"api", "storage", "cluster"}, nil},
	{"github.com/google/uuid", []string{"api", "cluster", "node", "cmd"}, aboveCore},
	{"github.com/prometheus/client_golang", aboveCore, nil},
	{"github.com/prometheus/client_golang/prometheus/promhttp", serving, nil},
	{"github.com/prometheus/client_model", nil, aboveCore},
	{"github.com/spf13/cobra", []string{"cmd"}, nil},
	{"github.com/spf13/pflag", []string{"cmd"}, nil},
	{"go.yaml.in/yaml/v3", []string{"api", "cmd"}, []string{"internal"}},
	{"go.opentelemetry.io/otel", []string{"api", "node", "cmd"}, nil},
	{"go.opentelemetry.io/proto/otlp", nil, []string{"api"}},
	{"google.golang.org/protobuf", nil, []string{"api"}},
	{"github.com/go-logr/logr", []string{"api"}, nil},
	{"github.com/hashicorp/raft-wal", []string{"bench/rival"}, []string{"wal"}},
	{"github.com/hanwen/go-fuse/v2", nil, []string{"wal"}},
	{"github.com/santhosh-tekuri/jsonschema/v6", nil, []string{"api"}},
	{"golang.org/x/sys", []string{"wal", "storage", "node", "cmd"}, aboveCore},
	{"golang.org/x/term", []string{"cmd"}, nil},
	{"go.uber.org/goleak", nil, anyTest},
	{"pgregory.net/rapid", nil, anyTest},
	{"github.com/rogpeppe/go-internal", nil, anyTest},
	{"github.com/anishathalye/porcupine", nil, anyTest},
}

// checkArrows holds the table of layers.
func checkArrows(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		from, known := layerOf(f.dir)
		if !known {
			found = append(found, Finding{Path: f.path, Text: "package " + f.dir + " has no place in the table of layers"})
			continue
		}
		for _, spec := range f.ast.Imports {
			imported, ours := strings.CutPrefix(importPath(spec), module+"/")
			if ours && servesTests(imported) && !f.test && !servesTests(f.dir) {
				text := fmt.Sprintf("%s serves tests; %s may not import it", imported, f.dir)
				found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: text})
				continue
			}
			if !ours || imported == f.dir || slices.ContainsFunc(from.may, func(dir string) bool { return within(imported, dir) }) {
				continue
			}
			if f.test && within(imported, "internal") {
				continue
			}
			text := fmt.Sprintf("%s may not import %s", f.dir, imported)
			found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: text})
		}
	}
	return found
}

// checkContained holds the table of third parties.
func checkContained(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		for _, spec := range f.ast.Imports {
			if text := escapes(f, spec); text != "" {
				found = append(found, Finding{Path: f.path, Line: f.line(spec), Text: text})
			}
		}
	}
	return found
}

func escapes(f *goFile, spec *ast.ImportSpec) string {
	imported := importPath(spec)
	if imported == module || within(imported, module) {
		return ""
	}
	row, listed := containmentOf(imported)
	if !listed {
		if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
			return imported + " is not in the table of third parties"
		}
		return "" // the standard library
	}
	allowed := row.code
	if f.test || servesTests(f.dir) {
		allowed = slices.Concat(row.code, row.tests)
	}
	if slices.ContainsFunc(allowed, func(dir string) bool { return dir == everywhere || within(f.dir, dir) }) {
		return ""
	}
	return fmt.Sprintf("%s may not import %s", f.dir, imported)
}

func layerOf(dir string) (layer, bool) {
	best, known := layer{}, false
	for _, l := range layers {
		if within(dir, l.dir) && len(l.dir) > len(best.dir) {
			best, known = l, true
		}
	}
	return best, known
}

func containmentOf(imported string) (containment, bool) {
	best, known := containment{}, false
	for _, c := range contained {
		if within(imported, c.imported) && len(c.imported) > len(best.imported) {
			best, known = c, true
		}
	}
	return best, known
}

// servesTests reports whether a package is there for the tests of others.
func servesTests(dir string) bool { return strings.HasSuffix(dir, "test") }

// within reports whether a path is dir or lies below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
