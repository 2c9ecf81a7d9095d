package deps

import (
	_ "github.com/HdrHistogram/hdrhistogram-go"
	_ "github.com/asynkron/protoactor-go/actor"
	_ "github.com/cespare/xxhash/v2"
	_ "github.com/failsafe-go/failsafe-go/retrypolicy"
	_ "github.com/google/uuid"
	_ "github.com/hashicorp/go-hclog"
	_ "github.com/hashicorp/go-metrics"
	_ "github.com/hashicorp/go-metrics/prometheus"
	_ "github.com/hashicorp/raft"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/spf13/cobra"
	_ "github.com/vmihailenco/msgpack/v5"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
	_ "go.uber.org/goleak"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
)
