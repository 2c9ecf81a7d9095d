package stock

import "fmt"

// A level is a version of the rules that apply follows (rule R1). A shard begins at the first and goes on to another by a command, at one place of
// its log, once every replica's binary knows it; it never goes back. What a level brings stays the same for good, the hashes that replicas
// compare included: a change of how one is made is another level.
const (
	firstLevel = 1
	// LevelHashMarks is the level from which replicas compare hashes of their states (rule R24).
	LevelHashMarks = 2
	// LevelRefusals is the level from which the refusals of confirms, returns and adjustments that may have another copy under way are
	// remembered, as those of orders always were (rule R4).
	LevelRefusals = 3
	// Level is the highest level that this binary knows.
	Level = LevelRefusals
)

// RaiseLevel takes the shard to a level; one that it is past already changes nothing. A binary that does not know the level does not decode the
// command, and so stops the shard.
type RaiseLevel struct {
	Level uint16
}

// Kind returns the command's number in the log.
func (*RaiseLevel) Kind() Kind { return KindRaiseLevel }

// Head returns nil: leaders make the command, and nobody waits for it.
func (*RaiseLevel) Head() *Meta { return nil }

// known returns why this binary cannot take a command of a kind that it knows.
func known(c Command) error {
	if c, ok := c.(*RaiseLevel); ok && c.Level > Level {
		return fmt.Errorf("%w: level %d", ErrUnknownCommand, c.Level)
	}
	return nil
}

// Level returns the level of the rules that the shard follows.
func (b *Book) Level() uint16 { return b.level }

func (b *Book) raise(at Position, c *RaiseLevel) Outcome {
	b.level = max(b.level, c.Level)
	if Broadcast(c) {
		b.everyone(at, c)
	}
	return Outcome{Code: OK}
}
