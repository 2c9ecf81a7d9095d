package stock

import "encoding/binary"

// people are the users of a SKU, by number. They never leave.
type people struct {
	pages[account]
	names texts
}

// account is a user in memory.
type account struct {
	name uint64 // where it stands among the names
	used int64
}

// person is a user of the SKU.
type person struct {
	name []byte
	// used counts the units of the user's open, held and confirmed orders, returned ones taken off.
	used int64
}

// add gives a new user the next number.
func (p *people) add(name string) uint64 { return p.push(account{name: p.names.add(name)}) }

// restoreNext gives the next number to a user from a snapshot.
func (p *people) restoreNext(name string, used int64) {
	p.pages.restore(p.len(), account{p.names.add(name), used})
}

// person returns a user; the name stays as it is, and is not to be written.
func (p *people) person(i uint64) person { return p.of(p.at(i)) }

func (p *people) of(a *account) person { return person{p.names.at(a.name), a.used} }

// cut returns the users as they are now.
func (p *people) cut() people { return people{p.pages.cut(), p.names.cut()} }

// texts only grow: each is its length and its bytes, in chunks that the collector has nothing to look at in.
type texts struct {
	chunks [][]byte
}

// textBytes is the size of a chunk but the first, which grows, for most SKUs have a few users. Longer than any text.
const textBytes = 1 << 15

// add keeps a text and returns where.
func (t *texts) add(s string) uint64 {
	k := len(t.chunks) - 1
	need := len(s) + binary.MaxVarintLen16
	if k < 0 || len(t.chunks[k])+need > textBytes {
		k++
		t.chunks = append(t.chunks, nil)
		if k > 0 {
			t.chunks[k] = make([]byte, 0, textBytes)
		}
	}
	at := len(t.chunks[k])
	t.chunks[k] = append(binary.AppendUvarint(t.chunks[k], uint64(len(s))), s...)
	return uint64(k)<<32 | uint64(at)
}

// at returns the text that stands at a place.
func (t *texts) at(place uint64) []byte {
	n, at := unvarint(t.chunks[place>>32], int(uint32(place)))
	return t.chunks[place>>32][at : at+int(n) : at+int(n)]
}

// cut returns the texts as they are now. What is added later stands behind them.
func (t *texts) cut() texts { return texts{append([][]byte(nil), t.chunks...)} }

// hold copies a text that shares memory with a whole request or log entry into the ledger's buffer, until its command has been applied.
func (l *Ledger) hold(s string) (b []byte) {
	l.buf, b = held(l.buf, s)
	return b
}

// held puts a text behind those in a buffer.
func held(buf []byte, s string) (longer, text []byte) {
	at := len(buf)
	buf = append(buf, s...)
	return buf, buf[at:len(buf):len(buf)]
}
