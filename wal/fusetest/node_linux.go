package fusetest

import (
	"context"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

var (
	_ fs.NodeCreater         = (*node)(nil)
	_ fs.NodeOpener          = (*node)(nil)
	_ fs.NodeOpendirHandler  = (*node)(nil)
	_ fs.NodeRenamer         = (*node)(nil)
	_ fs.NodeUnlinker        = (*node)(nil)
	_ fs.NodeWrapChilder     = (*node)(nil)
	_ fs.FileReader          = (*file)(nil)
	_ fs.FileWriter          = (*file)(nil)
	_ fs.FileFsyncer         = (*file)(nil)
	_ fs.FileFlusher         = (*file)(nil)
	_ fs.FileReleaser        = (*file)(nil)
	_ fs.FileGetattrer       = (*file)(nil)
	_ fs.FileSetattrer       = (*file)(nil)
	_ fs.FileReaddirenter    = (*directory)(nil)
	_ fs.FileReleasedirer    = (*directory)(nil)
	_ fs.FileFsyncdirer      = (*directory)(nil)
	_ fs.InodeEmbedder       = (*node)(nil)
	_ fs.FilePassthroughFder = (*fs.LoopbackFile)(nil) // why file does not embed it: the kernel would go around the hook
)

// node is a file or directory of the one behind.
type node struct {
	*fs.LoopbackNode
	fs *FS
}

func newRoot(dir string, f *FS) (*node, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return nil, err
	}
	behind := &fs.LoopbackRoot{Path: dir, Dev: st.Dev}
	root := &node{&fs.LoopbackNode{RootData: behind}, f}
	behind.RootNode = root
	return root, nil
}

// WrapChild implements fs.NodeWrapChilder.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{child.(*fs.LoopbackNode), n.fs}
}

// base is the node's present name.
func (n *node) base() string { return filepath.Base(n.Path(n.Root())) }

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if a := n.fs.ask(Op{Kind: Create, Name: name}); a.Errno != 0 {
		return nil, nil, 0, a.Errno
	}
	child, h, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return child, &file{h.(*fs.LoopbackFile), child.Operations().(*node)}, fuseFlags, 0
}

// Open implements fs.NodeOpener.
func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_TRUNC != 0 {
		if a := n.fs.ask(Op{Kind: Create, Name: n.base()}); a.Errno != 0 {
			return nil, 0, a.Errno
		}
	}
	h, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &file{h.(*fs.LoopbackFile), n}, fuseFlags, 0
}

// Rename implements fs.NodeRenamer.
func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if a := n.fs.ask(Op{Kind: Rename, Name: newName}); a.Errno != 0 {
		return a.Errno
	}
	return n.LoopbackNode.Rename(ctx, name, parent.(*node).LoopbackNode, newName, flags)
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if a := n.fs.ask(Op{Kind: Remove, Name: name}); a.Errno != 0 {
		return a.Errno
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

// OpendirHandle implements fs.NodeOpendirHandler.
func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &directory{h.(fs.FileReaddirenter), h.(fs.FileReleasedirer), h.(fs.FileFsyncdirer), n}, fuseFlags, 0
}

// file is an open file. It does not embed what is behind, which has ways around the hook.
type file struct {
	behind *fs.LoopbackFile
	node   *node
}

// Read implements fs.FileReader.
func (f *file) Read(ctx context.Context, p []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	return f.behind.Read(ctx, p, offset)
}

// Write implements fs.FileWriter.
func (f *file) Write(ctx context.Context, p []byte, offset int64) (uint32, syscall.Errno) {
	a := f.node.fs.ask(Op{Kind: Write, Name: f.node.base(), Offset: offset, Bytes: len(p)})
	if a.Errno != 0 {
		return 0, a.Errno
	}
	if a.Short > 0 {
		p = p[:min(a.Short, len(p))]
	}
	return f.behind.Write(ctx, p, offset)
}

// Fsync implements fs.FileFsyncer.
func (f *file) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if a := f.node.fs.ask(Op{Kind: Sync, Name: f.node.base()}); a.Errno != 0 {
		return a.Errno
	}
	return f.behind.Fsync(ctx, flags)
}

// Flush implements fs.FileFlusher.
func (f *file) Flush(ctx context.Context) syscall.Errno { return f.behind.Flush(ctx) }

// Release implements fs.FileReleaser.
func (f *file) Release(ctx context.Context) syscall.Errno { return f.behind.Release(ctx) }

// Getattr implements fs.FileGetattrer.
func (f *file) Getattr(ctx context.Context, out *fuse.AttrOut) syscall.Errno {
	return f.behind.Getattr(ctx, out)
}

// Setattr implements fs.FileSetattrer.
func (f *file) Setattr(ctx context.Context, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return f.behind.Setattr(ctx, in, out)
}

// directory is an open directory.
type directory struct {
	fs.FileReaddirenter
	fs.FileReleasedirer
	behind fs.FileFsyncdirer
	node   *node
}

// Fsyncdir implements fs.FileFsyncdirer.
func (d *directory) Fsyncdir(ctx context.Context, flags uint32) syscall.Errno {
	if a := d.node.fs.ask(Op{Kind: SyncDir, Name: d.node.base()}); a.Errno != 0 {
		return a.Errno
	}
	return d.behind.Fsyncdir(ctx, flags)
}
