package wal_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"holdfast/wal"
)

// floors are no logs: they write as many bytes as the cell's entries have and sync them, and do nothing else. What they
// reach is what the disk has to give.
var floors = []rival{{name: oneFile}, {name: fileEach}}

const (
	oneFile  = "one-file"
	fileEach = "file-each"
)

// floorFile is a file that was written before, and what is written to it again and again, from its beginning to its end.
type floorFile struct {
	file  wal.File
	bytes []byte
	at    int64
	size  int64
	times *hdrhistogram.Histogram
}

func openFloor(b *testing.B, name string, bytes int) *floorFile {
	b.Helper()
	f := &floorFile{bytes: payload(bytes), size: int64(max(8<<20, 4*bytes)), times: hdrhistogram.New(1, int64(time.Minute), 3)}
	if brief() {
		f.size = int64(bytes)
	}
	var err error
	f.file, err = wal.OS{}.Open(name, wal.Create)
	must(b, err)
	b.Cleanup(func() { must(b, f.file.Close()) })
	for at := int64(0); at < f.size; at += int64(bytes) {
		_, err := f.file.WriteAt(f.bytes, at)
		must(b, err)
	}
	must(b, f.file.Sync())
	return f
}

func (f *floorFile) call() error {
	start := time.Now()
	if _, err := f.file.WriteAt(f.bytes, f.at); err != nil {
		return err
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	if f.at += int64(len(f.bytes)); f.at+int64(len(f.bytes)) > f.size {
		f.at = 0
	}
	return f.times.RecordValue(int64(time.Since(start)))
}

func benchmarkFloor(b *testing.B, r rival, j job) {
	files, bytes := 1, j.groups*j.entry*j.batch
	if r.name == fileEach {
		files, bytes = j.groups, j.entry*j.batch
	}
	dir := b.TempDir()
	var all []*floorFile
	for i := range files {
		all = append(all, openFloor(b, filepath.Join(dir, fmt.Sprint(i)), bytes))
	}
	var over atomic.Bool
	var others sync.WaitGroup
	for _, f := range all[1:] {
		others.Go(func() {
			for !over.Load() {
				if err := f.call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	start := time.Now()
	for b.Loop() {
		must(b, all[0].call())
	}
	over.Store(true)
	others.Wait()
	took := time.Since(start)
	for _, f := range all[1:] {
		all[0].times.Merge(f.times)
	}
	entries := float64(all[0].times.TotalCount()) * float64(bytes) / float64(j.entry)
	b.ReportMetric(entries/took.Seconds(), "appends/s")
	b.ReportMetric(entries*float64(j.entry)/took.Seconds()/1e6, "MB/s")
	reportTimes(b, all[0].times)
}
