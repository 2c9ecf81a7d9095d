// Package sale is the vocabulary of a measured sale: what is asked, what may be answered, and what a target is. The load, the scenarios, the
// audit, the rivals and the report speak it and need not know each other.
//
// Files: target.go what can be measured, order.go what is asked and answered.
package sale
