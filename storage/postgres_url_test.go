package storage

import (
	"errors"
	"strings"
	"testing"
)

func TestURLsAreCheckedAndShownWithoutSecrets(t *testing.T) {
	const secret = "s3cr3t"
	for _, tc := range []struct{ sink, shown string }{
		{"sqlite", "sqlite"},
		{"none", "none"},
		{"postgres://db/shop", "postgres://db/shop"},
		{"postgres://", "postgres://"},
		{"postgresql://holdfast@db:5433/shop?sslmode=verify-full", "postgresql://holdfast@db:5433/shop?sslmode=verify-full"},
		{"postgres://holdfast:s3cr3t@db/shop?search_path=sales", "postgres://holdfast:xxxxx@db/shop?search_path=sales"},
		{"postgres://holdfast:s3cr3t%2F%40@db/shop", "postgres://holdfast:xxxxx@db/shop"},
		{"postgres://h:s3cr3t@a:5432,b:5433/shop?target_session_attrs=read-write", "postgres://h:xxxxx@a:5432,b:5433/shop?target_session_attrs=read-write"},
		{"postgres://h@[::1]:5432/shop", "postgres://h@[::1]:5432/shop"},
		{"postgres://h@db/shop?password=s3cr3t", "postgres://h@db/shop?password=xxxxx"},
		{"postgres://h@db/shop?pass%77ord=s3cr3t", "postgres://h@db/shop?password=xxxxx"},
	} {
		if err := CheckSink(tc.sink); err != nil {
			t.Errorf("%s: %v", tc.sink, err)
		}
		if shown := RedactSink(tc.sink); shown != tc.shown || strings.Contains(shown, secret) {
			t.Errorf("%s is shown as %s, want %s", tc.sink, shown, tc.shown)
		}
		if Redacted(tc.sink) || Redacted(tc.shown) != strings.Contains(tc.shown, hidden) {
			t.Errorf("%s or %s is not told from the other", tc.sink, tc.shown)
		}
	}
	for _, tc := range []struct {
		sink string
		want error
	}{
		{"", ErrUnknownSink},
		{"paper", ErrUnknownSink},
		{"postgress://h:s3cr3t@db", ErrUnknownSink},
		{"host=db password=s3cr3t", ErrUnknownSink},
		{"postgres://h:s3cr3t/x@db/shop", ErrConfig},
		{"postgres://h:s3cr3t?x@db/shop", ErrConfig},
		{"postgres://h:s3cr3t#x@db/shop", ErrConfig},
		{"postgres://h:s3cr3t@x@db/shop", ErrConfig},
		{"postgres://h:1/s3cr3t@db/shop", ErrConfig},
		{"postgres://h:s3cr3t", ErrConfig},
		{"postgres://h:s3cr3t%zz@db/shop", ErrConfig},
		{"postgres://h:s3cr3t@db:99999/shop", ErrConfig},
		{"postgres://h:s3cr3t@db/shop?sslmode=perhaps", ErrConfig},
		{"postgres://h:s3cr3t@db/shop?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", ErrConfig},
		{"postgres://h@db/shop?password=s3cr3t&connect_timeout=soon", ErrConfig},
	} {
		err := CheckSink(tc.sink)
		if !errors.Is(err, tc.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want %v and no secret", tc.sink, err, tc.want)
		}
		if shown := RedactSink(tc.sink); strings.Contains(shown, secret) {
			t.Errorf("%s is shown as %s", tc.sink, shown)
		}
		if shown := RedactSink(tc.sink); Redacted(tc.sink) || Redacted(shown) != strings.Contains(shown, hidden) {
			t.Errorf("%s or %s is not told from the other", tc.sink, shown)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: a cause holds the secret: %v", tc.sink, err)
			}
		}
	}
}

// An error of several lines is one, and says nothing twice.
func TestErrorsAreFolded(t *testing.T) {
	err := folded{errors.New("failed to connect to `user=h database=shop`:\n\t127.0.0.1:5432: refused\n\t127.0.0.1:5432: refused\n\t[::1]:5432:  refused\n")}
	if got, want := err.Error(), "127.0.0.1:5432: refused [::1]:5432: refused"; got != want {
		t.Errorf("%q", got)
	}
}
