package storage

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"holdfast/storage/pgtest"
)

// suite stops the tests' PostgreSQL before leftovers are looked for.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if err := pgtest.StopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }
