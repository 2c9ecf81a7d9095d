package stock

// Reaches reports whether a broadcast command is one for the SKU with a number.
func Reaches(c Command, number uint32) bool {
	span, ok := c.(*FlushSpan)
	return !ok || span.First <= number && number <= span.Last
}

// Everyone reports whether a command that is about to be applied will reach every ledger of the shard that it Reaches; those that are away must then
// get it too. A change of settings that is late, repeated or out of range reaches none. Asked before Apply.
func (b *Book) Everyone(at Position, c Command) bool {
	set, ok := c.(*SetSettings)
	if !ok {
		return Broadcast(c)
	}
	return b.standing(at, set).Code == 0
}
