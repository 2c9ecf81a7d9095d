package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"holdfast/storage"
)

// ordersProgram is the name under which the test binary prints the orders of a database, as JSON.
const ordersProgram = "holdfast-orders"

// printOrders is that program.
func printOrders() {
	rows, err := storage.ReadOrders(context.Background(), os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(rows)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ordersElsewhere reads the orders of a database in another process, for tests that serve the file system it lies on.
func ordersElsewhere(ctx context.Context, database string) (rows []storage.OrderRow, err error) {
	out, err := exec.CommandContext(ctx, ordersProgram, database).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("%s %s: %w", ordersProgram, database, err)
	}
	return rows, json.Unmarshal(out, &rows)
}
