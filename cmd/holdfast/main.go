package main

import (
	"os"

	"holdfast/cmd/holdfast/cli"
)

func main() {
	os.Exit(cli.Run(cli.Process{Args: os.Args[1:], Env: os.Environ(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
