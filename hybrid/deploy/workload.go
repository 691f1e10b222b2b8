package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Workload applies all manifests of a folder and returns when every Deployment
// in it is rolled out and every Service with a selector has a ready endpoint.
// Mistakes in the manifests are found before anything is applied. A state that
// cannot become ready, or the end of Options.Timeout, gives *NotReadyError.
func (d *Deployer) Workload(ctx context.Context, log io.Writer, folder string) error {
	log = discard(log)
	ctx = withLog(ctx, log)
	objects, err := Load(d.o.Root, folder)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := d.applyAll(ctx, log, objects); err != nil {
		return err
	}
	if err := d.ready(ctx, log, objects); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "ready after %s\n", time.Since(start).Round(time.Millisecond))
	return nil
}

// ready is the barrier: it returns when nothing is missing.
func (d *Deployer) ready(ctx context.Context, log io.Writer, objects []Object) error {
	limited, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	v, release, err := d.share(limited, namespaceOfAll(objects))
	defer release()
	if err != nil {
		return cause(ctx, fault.With(err, d.kubectl("get nodes")))
	}
	changed, end := v.listen()
	defer end()
	b := newBarrier(v, objects)
	for said := ""; ; {
		state := b.judge(time.Now())
		if len(state.hopeless) > 0 {
			return d.notReady(ctx, v, state.hopeless)
		}
		if len(state.missing) == 0 {
			return nil
		}
		if now := state.remaining(); now != said {
			said = now
			_, _ = fmt.Fprintf(log, "waiting: %s\n", now)
		}
		if wait(limited, changed, state.again) != nil {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			return d.notReady(ctx, v, late(state.missing, d.o.Timeout))
		}
	}
}

// late picks whom to blame for a timeout: Deployments, and Services only when
// their pods are not the reason.
func late(missing []*NotReadyError, timeout time.Duration) []*NotReadyError {
	var deployments []*NotReadyError
	for _, e := range missing {
		e.Reason = fmt.Sprintf("%s after %s", e.Reason, timeout)
		if e.Kind == "Deployment" {
			deployments = append(deployments, e)
		}
	}
	if len(deployments) > 0 {
		return deployments
	}
	return missing
}

// notReady adds the evidence and the next command to each error.
func (d *Deployer) notReady(ctx context.Context, v *view, failed []*NotReadyError) error {
	errs := make([]error, len(failed))
	for i, e := range failed {
		d.gather(ctx, e, v)
		errs[i] = fault.With(e, d.kubectl(fmt.Sprintf("--namespace %s describe %s %s", e.Namespace, e.Kind, e.Name)))
	}
	return errors.Join(errs...)
}

// wait returns nil after a change, or after the time if it is not zero, and an
// error when ctx has ended.
func wait(ctx context.Context, changed <-chan struct{}, after time.Duration) error {
	var expired <-chan time.Time
	if after > 0 {
		timer := time.NewTimer(after)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-changed:
	case <-expired:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// cause prefers why the caller's context ended over what that broke.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// namespaceOfAll is the one namespace of the objects, or all of them when they
// stand in several.
func namespaceOfAll(objects []Object) string {
	namespace := ""
	for _, o := range objects {
		switch n := o.GetNamespace(); {
		case n == "" || n == namespace:
		case namespace == "":
			namespace = n
		default:
			return metav1.NamespaceAll
		}
	}
	return namespace
}
