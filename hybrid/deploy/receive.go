package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
)

// followPause is the time between two attempts to follow a log whose connection ended: a
// load balancer ends those that are silent.
const followPause = time.Second

// Deliveries receives the data of the couriers of one run.
type Deliveries struct {
	d   *Deployer
	raw string
	// folders are below raw, by service.
	folders map[string]string
	log     io.Writer
	// open follows the log of a pod's courier.
	open func(context.Context, *corev1.Pod) (io.ReadCloser, error)
	// end ends all that is followed.
	end     context.CancelFunc
	stopped func()

	mu    sync.Mutex
	seen  map[types.UID]bool
	under sync.WaitGroup
	lost  []string
}

// Receive follows the couriers of all pods of the run, copies that specs make included,
// and writes what they deliver to the folders of Options.Coverage below raw, which have to
// be there. It follows them until Close, since a pod may end at any time.
func (d *Deployer) Receive(ctx context.Context, log io.Writer, raw string) (*Deliveries, error) {
	return d.receive(ctx, log, raw, func(ctx context.Context, pod *corev1.Pod) (io.ReadCloser, error) {
		return d.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: courierName, Follow: true}).Stream(ctx)
	})
}

func (d *Deployer) receive(ctx context.Context, log io.Writer, raw string, open func(context.Context, *corev1.Pod) (io.ReadCloser, error)) (*Deliveries, error) {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	r := &Deliveries{d: d, raw: raw, folders: map[string]string{}, log: discard(log), open: open, end: end, seen: map[types.UID]bool{}}
	for name, folder := range d.o.Coverage {
		r.folders[path.Base(name)] = folder
	}
	factory := informers.NewSharedInformerFactoryWithOptions(d.typed, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = coverageLabel + "," + RunLabel + "=" + d.o.Isolation.run
	}))
	pods := factory.Core().V1().Pods().Informer()
	look := func(object any) {
		if pod, ok := object.(*corev1.Pod); ok {
			r.look(ctx, pod)
		}
	}
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, object any) { look(object) }})
	if err != nil {
		end()
		return nil, fmt.Errorf("follow the pods with coverage: %w", err)
	}
	factory.StartWithContext(ctx)
	r.stopped = factory.Shutdown
	return r, nil
}

// look begins to follow a pod whose courier has started.
func (r *Deliveries) look(ctx context.Context, pod *corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[pod.UID] || !courierStarted(pod) || ctx.Err() != nil {
		return
	}
	r.seen[pod.UID] = true
	r.under.Go(func() { r.follow(ctx, pod) })
}

func courierStarted(pod *corev1.Pod) bool {
	for _, c := range pod.Status.InitContainerStatuses {
		if c.Name == courierName {
			return c.State.Running != nil || c.State.Terminated != nil
		}
	}
	return false
}

// follow receives what one pod delivers, also when the connection ends before.
func (r *Deliveries) follow(ctx context.Context, pod *corev1.Pod) {
	folder, ok := r.folders[pod.Labels[coverageLabel]]
	if !ok {
		r.lose(pod, errors.New("nobody knows this service"))
		return
	}
	for {
		names, err := r.receive(ctx, pod, filepath.Join(r.raw, filepath.FromSlash(folder)))
		if err == nil {
			r.tell("%s/%s delivered %d files", pod.Namespace, pod.Name, len(names))
			return
		}
		if ctx.Err() != nil || wait(ctx, nil, followPause) != nil || !r.lives(ctx, pod) {
			r.lose(pod, err)
			return
		}
	}
}

func (r *Deliveries) receive(ctx context.Context, pod *corev1.Pod, dir string) ([]string, error) {
	log, err := r.open(ctx, pod)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return delivery.Receive(log, dir, io.Discard)
}

// lives tells whether a pod is still there.
func (r *Deliveries) lives(ctx context.Context, pod *corev1.Pod) bool {
	now, err := r.d.typed.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	return !apierrors.IsNotFound(err) && (err != nil || now.UID == pod.UID)
}

func (r *Deliveries) lose(pod *corev1.Pod, err error) {
	r.tell("%s/%s delivered nothing: %v", pod.Namespace, pod.Name, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = append(r.lost, pod.Namespace+"/"+pod.Name)
}

func (r *Deliveries) tell(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintf(r.log, format+"\n", args...)
}

// Wait returns when every pod that was followed has delivered or is gone. Those that did
// not deliver are in the text, empty for none: they were killed.
func (r *Deliveries) Wait(ctx context.Context) (string, error) {
	done := make(chan struct{})
	go func() {
		r.under.Wait()
		close(done)
	}()
	limited, cancel := context.WithTimeout(ctx, r.d.o.Timeout)
	defer cancel()
	if err := wait(limited, done, 0); err != nil {
		return "", cause(ctx, fmt.Errorf("coverage data is still under way after %s: %w", r.d.o.Timeout, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lost) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d pods delivered nothing: %s", len(r.lost), strings.Join(r.lost, ", ")), nil
}

// Close ends what is still followed. It may be called again.
func (r *Deliveries) Close() {
	r.end()
	r.stopped()
	r.under.Wait()
}
