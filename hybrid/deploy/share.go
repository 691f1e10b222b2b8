package deploy

import (
	"context"
	"fmt"
)

// sharedView is a view that all workloads look at which are waited for at the same
// time. With views of their own n workloads would have the API server send each change
// n times, and n copies of the namespace would be kept.
type sharedView struct {
	users int
	// synced is closed when the fields below it are set.
	synced  chan struct{}
	view    *view
	stopped func()
	err     error
	// cancel ends the watches.
	cancel context.CancelFunc
}

// share gives the view of a namespace, as a new one or that of others. It may be older
// than what was just applied. The function returned has to be called when it is no
// longer looked at, also after an error: with its last user a view ends. A view does
// not end with the context of the one who happened to come first.
func (d *Deployer) share(ctx context.Context, namespace string) (*view, func(), error) {
	d.mu.Lock()
	s := d.views[namespace]
	if s == nil {
		watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
		s = &sharedView{synced: make(chan struct{}), cancel: cancel}
		d.views[namespace] = s
		go func() {
			defer close(s.synced)
			s.view, s.stopped, s.err = watchNamespace(watching, d.typed, namespace, nil)
		}()
	}
	s.users++
	d.mu.Unlock()
	release := func() { d.release(namespace, s) }
	select {
	case <-s.synced:
		return s.view, release, s.err
	case <-ctx.Done():
		return nil, release, fmt.Errorf("watch namespace %s: the API server gave no first answer: %w", namespace, context.Cause(ctx))
	}
}

func (d *Deployer) release(namespace string, s *sharedView) {
	d.mu.Lock()
	s.users--
	last := s.users == 0
	if last {
		delete(d.views, namespace)
	}
	d.mu.Unlock()
	if last {
		s.cancel()
		<-s.synced
		s.stopped()
	}
}
