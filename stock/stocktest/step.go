package stocktest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"pgregory.net/rapid"

	"holdfast/stock"
)

// Step is one command at its place in the log.
type Step struct {
	At      stock.Position
	Command stock.Command
}

// String returns the step in one line, for the log of a failed test.
func (s Step) String() string {
	name := fmt.Sprintf("%d@%d %T", s.At.Index, s.At.Now, s.Command)
	if c, ok := s.Command.(*stock.Init); ok {
		return fmt.Sprintf("%s epoch %d, %d partitions, %+v", name, c.Epoch, len(c.Partitions), c.Settings)
	}
	text, err := json.Marshal(s.Command)
	if err != nil {
		return fmt.Sprintf("%s %+v", name, s.Command)
	}
	return fmt.Sprintf("%s %s", name, text)
}

// Start is the log time at which sequences begin.
const Start stock.Time = 1_000_000

// dice is a source of chance.
type dice interface {
	// roll returns 0 to n-1. 0 is the plainest, so that a failed sequence shrinks towards plain ones.
	roll(n int) int
}

// seeded rolls fast, for sequences by the hundred thousand.
type seeded struct{ *rand.Rand }

func (d seeded) roll(n int) int { return d.IntN(n) }

// drawn rolls from rapid, which can shrink what it drew.
type drawn struct{ t *rapid.T }

func (d drawn) roll(n int) int { return rapid.IntRange(0, n-1).Draw(d.t, "roll") }

// Random returns n steps that depend on the seed alone; the first is Init.
func Random(seed uint64, n int) []Step {
	return write(seeded{rand.New(rand.NewPCG(seed, 0x686f6c6466617374))}, n)
}

// Sequence generates sequences of 1 to most steps, by the same rules as Random; the first step is Init.
func Sequence(most int) *rapid.Generator[[]Step] {
	return rapid.Custom(func(t *rapid.T) []Step {
		return write(drawn{t}, rapid.IntRange(1, most).Draw(t, "steps"))
	})
}

// Positions generates n positions of a log whose time often stands still, sometimes within one entry, and at times leaps.
func Positions(n int) *rapid.Generator[[]stock.Position] {
	return rapid.Custom(func(t *rapid.T) []stock.Position {
		at := stock.Position{Index: 1, Now: Start}
		positions := make([]stock.Position, n)
		for i := range positions {
			positions[i] = at
			at = next(drawn{t}, at, func() stock.Time { return at.Now + stock.Time(drawn{t}.roll(1000)) })
		}
		return positions
	})
}

// next returns the position after at: in the same entry, or in a later one at the same time, a little later, or where leap says.
func next(d dice, at stock.Position, leap func() stock.Time) stock.Position {
	pace := d.roll(12)
	if pace == 4 || pace == 5 {
		return at // the same proposal
	}
	at.Index++
	if d.roll(8) == 7 {
		at.Index += 3 // positions of raft's own lie between
	}
	switch pace {
	case 6, 7, 8, 9:
		at.Now += 1 + stock.Time(d.roll(6))
	case 10, 11:
		at.Now = max(at.Now, leap())
	}
	return at
}
