package stock

import "encoding/binary"

// The codes of the msgpack formats this module writes. Maps, floats and extensions never occur; a binary string does in the messages of package
// cluster/meta only, for a cluster's id.
const (
	mpFixArray  = 0x90
	mpFixString = 0xa0
	mpNil       = 0xc0
	mpFalse     = 0xc2
	mpTrue      = 0xc3
	mpBinary8   = 0xc4
	mpUint8     = 0xcc
	mpUint16    = 0xcd
	mpUint32    = 0xce
	mpUint64    = 0xcf
	mpInt8      = 0xd0
	mpInt16     = 0xd1
	mpInt32     = 0xd2
	mpInt64     = 0xd3
	mpString8   = 0xd9
	mpString16  = 0xda
	mpString32  = 0xdb
	mpArray16   = 0xdc
	mpArray32   = 0xdd
)

// The append functions write each value in its shortest form, so that equal values are equal bytes. They are small enough to be inlined;
// what is rare is behind a call.

func appendArrayHeader(b []byte, n int) []byte {
	if n < 16 {
		return append(b, mpFixArray|byte(n))
	}
	return appendWideArrayHeader(b, n)
}

func appendWideArrayHeader(b []byte, n int) []byte {
	if n < 1<<16 {
		return append(b, mpArray16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, mpArray32), uint32(n))
}

func appendUint(b []byte, n uint64) []byte {
	if n < 1<<7 {
		return append(b, byte(n))
	}
	return appendWideUint(b, n)
}

func appendWideUint(b []byte, n uint64) []byte {
	switch {
	case n < 1<<8:
		return append(b, mpUint8, byte(n))
	case n < 1<<16:
		return append(b, mpUint16, byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, mpUint32), uint32(n))
	}
	return appendFixedUint64(b, n)
}

func appendInt(b []byte, n int64) []byte {
	if n >= -32 && n < 1<<7 {
		return append(b, byte(n))
	}
	return appendWideInt(b, n)
}

func appendWideInt(b []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendWideUint(b, uint64(n))
	case n >= -1<<7:
		return append(b, mpInt8, byte(n))
	case n >= -1<<15:
		return append(b, mpInt16, byte(n>>8), byte(n))
	case n >= -1<<31:
		return binary.BigEndian.AppendUint32(append(b, mpInt32), uint32(n))
	}
	return appendFixedInt64(b, n)
}

func appendString(b []byte, s string) []byte { return append(appendStringHeader(b, len(s)), s...) }

// appendText appends a string that is in a buffer.
func appendText(b, s []byte) []byte { return append(appendStringHeader(b, len(s)), s...) }

func appendStringHeader(b []byte, n int) []byte {
	if n < 32 {
		return append(b, mpFixString|byte(n))
	}
	return appendWideStringHeader(b, n)
}

func appendWideStringHeader(b []byte, n int) []byte {
	switch {
	case n < 1<<8:
		return append(b, mpString8, byte(n))
	case n < 1<<16:
		return append(b, mpString16, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, mpString32), uint32(n))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, mpTrue)
	}
	return append(b, mpFalse)
}

func appendNil(b []byte) []byte { return append(b, mpNil) }

// The fixed forms always have the same width: their place is known, and a value can be written there later.

func appendFixedUint64(b []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, mpUint64), n)
}

func appendFixedInt64(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, mpInt64), uint64(n))
}

func appendFixedArrayHeader(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(append(b, mpArray32), uint32(n))
}

// appendOrderID writes an id as an array of its four numbers: in most logs epoch and SKU number are small, which makes it shorter than the
// packed form, and every reader of msgpack can take it apart.
func appendOrderID(b []byte, id OrderID) []byte {
	b = appendArrayHeader(b, 4)
	b = appendUint(b, uint64(id.Epoch))
	b = appendUint(b, uint64(id.Partition))
	b = appendUint(b, uint64(id.SKU))
	return appendUint(b, id.Counter)
}
