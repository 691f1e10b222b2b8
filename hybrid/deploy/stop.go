package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// killed is the exit code of a process that did not end within its grace.
const killed = 137

// Stop scales Deployments of the deployer's namespace to zero and returns when
// their pods are gone, which is after kubelet saw every container end. It is how
// instrumented services get to write their data. A container that had to be
// killed is an error, since its data is lost; the others are stopped all the
// same. Options.Timeout bounds it.
func (d *Deployer) Stop(ctx context.Context, log io.Writer, deployments ...string) error {
	log = discard(log)
	ctx = withLog(ctx, log)
	limited, cancel := context.WithTimeout(ctx, d.o.Timeout)
	victims := victims{errs: map[string]error{}}
	v, stopped, err := watchNamespace(limited, d.typed, d.o.Namespace, victims.look)
	defer func() { cancel(); stopped() }()
	if err != nil {
		return cause(ctx, fault.With(err, d.kubectl("get nodes")))
	}
	changed, end := v.listen()
	defer end()
	start := time.Now()
	selectors := map[string]labels.Selector{}
	for _, name := range deployments {
		scaled := v.deployment(d.o.Namespace, name)
		if scaled == nil {
			return fmt.Errorf("stop Deployment %s/%s: it does not exist", d.o.Namespace, name)
		}
		selectors[name] = selectorOf(scaled)
		if err := d.scaleToZero(limited, name); err != nil {
			return cause(ctx, fmt.Errorf("stop Deployment %s/%s: %w", d.o.Namespace, name, err))
		}
	}
	for {
		var left []string
		for _, name := range deployments {
			for _, pod := range v.selected(d.o.Namespace, selectors[name]) {
				left = append(left, pod.Name)
			}
		}
		if len(left) == 0 {
			break
		}
		if wait(limited, changed, 0) != nil {
			return cause(ctx, fault.With(
				fmt.Errorf("pods of stopped Deployments are still there after %s: %s", d.o.Timeout, strings.Join(left, ", ")),
				d.kubectl("--namespace "+d.o.Namespace+" describe pods "+strings.Join(left, " "))))
		}
	}
	_, _ = fmt.Fprintf(log, "stopped %s in %s\n", strings.Join(deployments, ", "), time.Since(start).Round(time.Millisecond))
	return victims.of(selectors)
}

// scaleToZero goes through the scale subresource, so that no other field can be
// touched.
func (d *Deployer) scaleToZero(ctx context.Context, name string) error {
	return retry(ctx, func() error {
		_, err := d.typed.AppsV1().Deployments(d.o.Namespace).Patch(ctx, name, types.MergePatchType,
			[]byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{FieldManager: fieldManager}, "scale")
		return err
	})
}

// victims remembers the pods whose containers did not end by themselves. Their
// last state is there for a moment only, so every state is looked at.
type victims struct {
	mu   sync.Mutex
	pods []*corev1.Pod
	errs map[string]error
}

func (v *victims) look(pod *corev1.Pod) {
	for _, c := range statuses(pod) {
		t := c.State.Terminated
		if t == nil || t.ExitCode != killed || pod.DeletionTimestamp == nil {
			continue
		}
		v.mu.Lock()
		if v.errs[pod.Name] == nil {
			v.pods = append(v.pods, pod)
		}
		v.errs[pod.Name] = fault.With(
			fmt.Errorf("container %s of pod %s did not end within its grace and was killed (exit code %d); "+
				"its coverage data is lost", c.Name, pod.Name, killed),
			"make terminationGracePeriodSeconds longer than the service's own shutdown")
		v.mu.Unlock()
	}
}

// of joins the errors about pods that one of the selectors matches.
func (v *victims) of(selectors map[string]labels.Selector) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	for _, pod := range v.pods {
		for _, selector := range selectors {
			if selector.Matches(labels.Set(pod.Labels)) {
				errs = append(errs, v.errs[pod.Name])
				break
			}
		}
	}
	return errors.Join(errs...)
}
