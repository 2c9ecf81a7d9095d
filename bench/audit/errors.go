package audit

import "errors"

// ErrStray is returned by Check when callers were told of SKUs that were never given to Ledger.Sell: a bug of the scenario.
var ErrStray = errors.New("audit: answers about a SKU that is not on sale")
