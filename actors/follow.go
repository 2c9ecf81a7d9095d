package actors

import (
	"strconv"

	"holdfast/stock"
)

// What holds for the whole cluster stands in its table, and each shard takes it over through its own log: a leader that finds the shard otherwise
// proposes it.

// followingMS is how long a change of settings that the leader proposes may take.
const followingMS = 60_000

// follow proposes, on the leader, what the cluster wants and the shard has not: the level that every member knows, and the settings. It is called
// about once a second.
func (s *shardActor) follow(now stock.Time) {
	cfg := &s.r.cfg
	if cfg.Level != nil {
		if to := cfg.Level(); to > s.book.Level() && to <= stock.Level {
			s.tray.items = append(s.tray.items, item{cmd: &stock.RaiseLevel{Level: to}, term: s.term})
		}
	}
	if cfg.Settings == nil {
		return
	}
	to, version := cfg.Settings(s.book.Settings())
	if version == 0 || to == s.book.Settings() {
		return
	}
	s.tray.items = append(s.tray.items, item{term: s.term, cmd: &stock.SetSettings{
		Meta: stock.Meta{Key: "table-" + strconv.FormatUint(version, 10), Deadline: now.Add(followingMS)}, Settings: to,
	}})
}

// tellSettings publishes the shard's settings when they are others than before.
func (s *shardActor) tellSettings() {
	if s.settings == s.book.Settings() {
		return
	}
	told := s.book.Settings()
	s.settings = told
	s.r.settings.Store(&told)
}

// Settings returns the shard's settings as of the last entry that was applied here; the zero Settings before there was one.
func (r *Replica) Settings() stock.Settings {
	if told := r.settings.Load(); told != nil {
		return *told
	}
	return stock.Settings{}
}
