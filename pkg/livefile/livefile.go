package livefile

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Watch calls changed with the content of the file, first at once and then each time it
// has become another one, also when it cannot be read: then with the error, once as long
// as it stays so. It returns nil when ctx ends, and an error when the folder cannot be
// watched. A file that is replaced, by an editor or by the link that a mounted ConfigMap
// moves, is followed.
func Watch(ctx context.Context, path string, changed func([]byte, error)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer func() { _ = watcher.Close() }()
	// The folder is watched: the file itself is gone when it is replaced.
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		return err
	}
	var last *outcome
	for {
		if now := look(path); last == nil || !now.same(*last) {
			last = &now
			changed(now.content, now.err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
		case err := <-watcher.Errors:
			changed(nil, err)
		}
	}
}

// outcome is what reading the file gave.
type outcome struct {
	content []byte
	err     error
}

func look(path string) outcome {
	content, err := os.ReadFile(path)
	return outcome{content: content, err: err}
}

// same reports whether there is nothing new to tell.
func (o outcome) same(last outcome) bool {
	return (o.err == nil) == (last.err == nil) && bytes.Equal(o.content, last.content)
}
