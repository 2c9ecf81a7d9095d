package stock

// Rows in a snapshot are msgpack arrays written by hand. An append function that finds no row appends nothing.

func appendRow(b []byte, r *row) []byte {
	if r.state == 0 {
		return b
	}
	b = appendArrayHeader(b, 15)
	b = appendUint(b, uint64(r.state))
	b = appendUint(b, uint64(r.epoch))
	b = appendUint(b, uint64(r.user))
	b = appendUint(b, uint64(r.caller))
	b = appendText(b, r.key)
	b = appendText(b, r.clientRef)
	b = appendText(b, r.paymentID)
	b = appendInt(b, r.qty)
	b = appendInt(b, r.returned)
	for _, t := range [...]Time{r.created, r.confirmed, r.ended, r.expires} {
		b = appendInt(b, int64(t))
	}
	// The last change, then the first one's index.
	b = appendArrayHeader(b, 2)
	b = appendInt(b, int64(r.updated))
	b = appendUint(b, r.version)
	return appendUint(b, r.firstVersion)
}

// readRow reads a row; its texts are put behind those in buf.
func readRow(r *mpReader, buf []byte) (out row) {
	r.array(15)
	out.state = State(r.uintMax(uint64(stateFence)))
	out.epoch = uint16(r.uintMax(1<<16 - 1))
	out.user = r.uint32()
	out.caller = r.uint32()
	buf, out.key = held(buf, r.string(MaxKeyBytes))
	buf, out.clientRef = held(buf, r.string(MaxClientRefBytes))
	_, out.paymentID = held(buf, r.string(MaxNameBytes))
	out.qty = r.int64()
	out.returned = r.int64()
	for _, t := range [...]*Time{&out.created, &out.confirmed, &out.ended, &out.expires} {
		*t = Time(r.int64())
	}
	r.array(2)
	out.updated = Time(r.int64())
	out.version = r.uint64()
	out.firstVersion = r.uint64()
	return out
}

func appendPerson(b []byte, p *person) []byte {
	b = appendArrayHeader(b, 2)
	b = appendText(b, p.name)
	return appendInt(b, p.used)
}

func readPerson(r *mpReader) (name string, used int64) {
	r.array(2)
	return r.string(MaxNameBytes), r.int64()
}

func appendReturned(b []byte, r *returned) []byte {
	if r.counter == 0 {
		return b
	}
	b = appendArrayHeader(b, 11)
	b = appendString(b, r.key)
	b = appendUint(b, uint64(r.caller))
	b = appendBool(b, r.restock)
	b = appendBool(b, r.paid)
	b = appendUint(b, uint64(r.state))
	b = appendInt(b, r.qty)
	b = appendUint(b, r.counter)
	b = appendUint(b, r.previous)
	b = appendInt(b, r.total)
	b = appendInt(b, int64(r.at))
	return appendUint(b, r.version)
}

func readReturned(r *mpReader) (out returned) {
	r.array(11)
	out.key = r.string(MaxKeyBytes)
	out.caller = r.uint32()
	out.restock = r.bool()
	out.paid = r.bool()
	out.state = State(r.uintMax(uint64(StateReturned)))
	out.qty = r.int64()
	out.counter = r.uint64()
	out.previous = r.uint64()
	out.total = r.int64()
	out.at = Time(r.int64())
	out.version = r.uint64()
	return out
}
