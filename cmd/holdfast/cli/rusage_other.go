//go:build !unix

package cli

import "time"

// processorTime: there is no service manager here that asks for it.
func processorTime() time.Duration { return 0 }
