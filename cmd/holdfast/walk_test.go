package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is a part of a page that a walk cares for: commands to type, or the output that stands below them.
type block struct {
	// commands is the text of a block marked sh, output that between "output of NAME begins" and "ends", without its fence.
	commands, output string
	// name is that of an output, language what its fence says.
	name, language string
	// notRun: the commands are for the reader alone; onRefresh: they run only to write the page anew, and their output is not compared.
	notRun, onRefresh bool
	// first and last are the lines of an output's text, counted from 0; last is not part of it.
	first, last int
}

var (
	outputBegins = regexp.MustCompile(`^<!-- output (?:of )?(.+) begins -->$`)
	outputEnds   = regexp.MustCompile(`^<!-- output (?:of )?(.+) ends -->$`)
)

// blocks reads a page. A comment before a block of commands says how it is walked: "not run" or "run on refresh", with a reason.
func blocks(lines []string) (all []block, err error) {
	var notRun, onRefresh bool
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch begins := outputBegins.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "<!-- not run"):
			notRun = true
		case strings.HasPrefix(line, "<!-- run on refresh"):
			onRefresh = true
		case line == "```sh":
			end := i + 1
			for end < len(lines) && lines[end] != "```" {
				end++
			}
			all = append(all, block{commands: strings.Join(lines[i+1:end], "\n"), notRun: notRun, onRefresh: onRefresh})
			notRun, onRefresh, i = false, false, end
		case begins != nil:
			b := block{name: begins[1], first: i + 1}
			for b.last = i + 1; b.last < len(lines) && !outputEnds.MatchString(lines[b.last]); {
				b.last++
			}
			if b.last == len(lines) {
				return nil, fmt.Errorf("the output of %s has no end", b.name)
			}
			fenced := strings.Split(strings.TrimSpace(strings.Join(lines[b.first:b.last], "\n")), "\n")
			b.language = strings.TrimLeft(fenced[0], "`")
			if len(fenced) > 1 {
				b.output = strings.Join(fenced[1:len(fenced)-1], "\n")
			}
			all, i = append(all, b), b.last
		}
	}
	return all, nil
}

// shell is one bash in which a page's commands run one after the other, as somebody would type them.
type shell struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

const (
	// stopMark is what the shell prints after each block.
	stopMark = "--- the block has ended ---"
	// blockWithin bounds a block; the longest is a demo.
	blockWithin = 2 * time.Minute
)

// startShell starts a shell in a directory. It ends with the test, and what it started ends with it.
func startShell(t *testing.T, dir string, env ...string) *shell {
	t.Helper()
	s := &shell{cmd: exec.Command("bash", "--noprofile", "--norc"), lines: make(chan string, 1024)}
	s.cmd.Dir, s.cmd.Env = dir, append(os.Environ(), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.cmd.Stdout
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(s.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		s.in.Close()
		if err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		for range s.lines { // what nobody asked for any more
		}
		<-read
		_ = s.cmd.Wait() // killed, or ended with the status of its last command
	})
	return s
}

// run types the commands and returns what they print. After a block that leaves nodes in the background it waits for the ready line of each.
func (s *shell) run(commands string) (string, error) {
	if _, err := fmt.Fprintf(s.in, "%s\necho '%s'\n", commands, stopMark); err != nil {
		return "", err
	}
	starting := len(regexp.MustCompile(`(?m)holdfast serve .*&$`).FindAllString(commands, -1))
	stopped := false
	var out []string
	for deadline := time.After(blockWithin); !stopped || starting > 0; {
		select {
		case line, more := <-s.lines:
			if !more {
				return strings.Join(out, "\n"), errors.New("the shell has ended")
			}
			line, ended := strings.CutSuffix(line, stopMark)
			stopped = stopped || ended
			if ended && line == "" {
				continue
			}
			if strings.HasPrefix(line, `{"ready":true`) {
				starting--
			}
			out = append(out, line)
		case <-deadline:
			return strings.Join(out, "\n"), fmt.Errorf("not done within %v", blockWithin)
		}
	}
	return strings.Join(out, "\n"), nil
}
