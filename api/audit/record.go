package audit

import (
	"encoding/json"
	"time"
)

// Event says at which moment of a call a line was written.
type Event string

// The events. A change has a line of each of the first two, so that one which a crash interrupts is not missing from the log.
const (
	// Asked: the call was in order and nothing had been done.
	Asked Event = "asked"
	// Answered: this was the answer.
	Answered Event = "answered"
	// Refused: the caller was turned away, and nothing was done.
	Refused Event = "refused"
)

// Record is one line.
type Record struct {
	Time  time.Time `json:"time"`
	Event Event     `json:"event"`
	// RequestID is the id that the answer carries too.
	RequestID string `json:"request_id"`
	// KeyName is the name of the API key; "" for a caller without, or with one that is not in force.
	KeyName string `json:"key_name"`
	// Remote is the address that the call came from.
	Remote string `json:"remote"`
	// Call is the method and the path, without the query.
	Call string `json:"call"`
	// Route is the call without the caller's words. It is not in the line, and stands for the call in the node's log when the line cannot be written.
	Route string `json:"-"`
	SKU   string `json:"sku,omitempty"`
	// Change is the body of the call.
	Change json.RawMessage `json:"change,omitempty"`
	// Status and Code are those of the answer; Code is "" for an acceptance.
	Status int    `json:"status,omitempty"`
	Code   string `json:"code,omitempty"`
	// Omitted is how many refusals before this one were not written.
	Omitted int64 `json:"omitted,omitempty"`
}

// line returns the record as a line. Its time has three decimals, as all times of the API.
func (r Record) line() ([]byte, error) {
	b, err := json.Marshal(struct {
		Time string `json:"time"` // in place of the record's own
		Record
	}{r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), r})
	return append(b, '\n'), err
}
