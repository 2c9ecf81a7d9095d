package topology

import "time"

// momentLayout is a time as the API writes it: UTC, with three decimals also where they are zeros.
const momentLayout = `"2006-01-02T15:04:05.000Z"`

// Moment is a time that is written as the API writes times.
type Moment struct{ time.Time }

// MarshalJSON writes UTC with three decimals.
func (m Moment) MarshalJSON() ([]byte, error) { return []byte(m.UTC().Format(momentLayout)), nil }
