package meta

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

const messageVersion = 1

// EncodeMessage returns a value that nodes tell each other outside the log, a struct of this package's types and plain ones, in the frame of an
// entry. It returns ErrTooLarge for one above MaxSnapshotBytes.
func EncodeMessage(v any) ([]byte, error) {
	payload, err := marshal(v)
	if err != nil {
		return nil, err
	}
	if len(payload) > MaxSnapshotBytes {
		return nil, fmt.Errorf("%w: message of %d bytes, at most %d", ErrTooLarge, len(payload), MaxSnapshotBytes)
	}
	return frame(messageVersion, payload), nil
}

// DecodeMessage reads into v what EncodeMessage put together from a value of its type. It returns ErrUnknownCommand for another version and
// ErrMalformed for whatever else EncodeMessage does not write.
func DecodeMessage(data []byte, v any) error {
	payload, err := unframe(messageVersion, data)
	if err != nil {
		return err
	}
	if err := scan(payload); err != nil {
		return err
	}
	if err := msgpack.NewDecoder(bytes.NewReader(payload)).Decode(v); err != nil {
		return fmt.Errorf("%w: %T: %w", ErrMalformed, v, err)
	}
	again, err := marshal(v)
	if err != nil || !bytes.Equal(again, payload) {
		return fmt.Errorf("%w: %T that is not in its one form", ErrMalformed, v)
	}
	return nil
}
