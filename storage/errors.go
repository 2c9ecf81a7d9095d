package storage

import "errors"

var (
	// ErrConfig is returned by Open when the configuration cannot work.
	ErrConfig = errors.New("storage: invalid configuration")
	// ErrUnknownSink is returned by Open for a sink that this build does not have.
	ErrUnknownSink = errors.New("storage: unknown sink")
	// ErrForeignFile is returned when the file, or the schema of a database, belongs to another program; it is left as it is.
	ErrForeignFile = errors.New("storage: not a database of this program")
	// ErrNewerSchema is returned when a newer build wrote the sink.
	ErrNewerSchema = errors.New("storage: the sink has a newer schema than this build knows")
	// ErrOtherCluster is returned when another cluster, or a later epoch of this one, wrote the sink and it was not adopted.
	ErrOtherCluster = errors.New("storage: the sink belongs to another cluster")
	// ErrStaleTerm is returned when a later term has written the shard's cursor: whoever flushes in an older one gives up and reads again.
	ErrStaleTerm = errors.New("storage: a later term flushes this shard")
	// ErrTermOver is returned when the term in which a batch was begun ended here before it was committed: it was rolled back.
	ErrTermOver = errors.New("storage: this node does not lead the shard any more")
	// ErrCursorMoved is returned when the sink's cursor is not where this session left it.
	ErrCursorMoved = errors.New("storage: the sink's cursor moved")
	// ErrSinkGone is returned when the file was deleted or replaced, or the tables were dropped, while they were in use.
	ErrSinkGone = errors.New("storage: the sink's file or tables are gone")
	// ErrBacklog is part of a shard's status while more waits to be flushed than the configured bounds; selling goes on.
	ErrBacklog = errors.New("storage: flush backlog above its bound")
	// ErrShardKnown is returned by AddShard for a shard that is flushed already, or whose removal has not ended yet.
	ErrShardKnown = errors.New("storage: the shard is flushed already")
	// ErrNoShard is returned for a shard that is not flushed here.
	ErrNoShard = errors.New("storage: the shard is not flushed here")
	// ErrBadPage is returned for a page of rows that is none, or not of the shard.
	ErrBadPage = errors.New("storage: not a page of the shard's rows")
	// ErrPeerLacks is returned by Seed for a page of a peer whose own database does not have what is missing.
	ErrPeerLacks = errors.New("storage: the peer's database lacks what is missing")
	// ErrNotLocal is returned by Rows for a sink that is no file of this node's.
	ErrNotLocal = errors.New("storage: the sink is no file of this node's")
	// ErrClosed is returned by calls after Close.
	ErrClosed = errors.New("storage: closed")
	// ErrNotFlushed is returned by Close when the context ended before everything was in the sink.
	ErrNotFlushed = errors.New("storage: closed before everything was flushed")
)

// permanent reports whether an error at the start says that somebody must decide before this sink may be written.
func permanent(err error) bool {
	return errors.Is(err, ErrForeignFile) || errors.Is(err, ErrNewerSchema) || errors.Is(err, ErrOtherCluster)
}
