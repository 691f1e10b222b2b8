package speed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
)

const (
	rolloutTimeout = 180 * time.Second
	answerEvery    = 200 * time.Millisecond
	answerTimeout  = time.Minute
	// secretValue is as long as those that the pipeline draws.
	secretValue = "0123456789abcdef0123456789abcdef"
)

// sequential is a plain script: one thing after the other.
func (p *peer) sequential(ctx context.Context, log io.Writer) (Parts, error) {
	epoch, err := p.next()
	if err != nil {
		return nil, err
	}
	l := startLaps()
	if err := p.buildAll(ctx, log, epoch); err != nil {
		return nil, err
	}
	l.lap(partBuild)
	err = p.inCluster(ctx, log, l, func(k kubectl) error {
		for _, img := range p.suite.Images {
			if _, err := p.kindLoadOne(ctx, p.tag(img.Name), log); err != nil {
				return err
			}
		}
		l.lap(partLoad)
		if err := k.prepare(ctx); err != nil {
			return err
		}
		for _, w := range p.suite.Workloads {
			if err := k.workload(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
	return l.parts, err
}

// parallel is the same with everything of a phase at the same time, and one archive for
// each image: what goroutines alone give.
func (p *peer) parallel(ctx context.Context, log io.Writer) (Parts, error) {
	epoch, err := p.next()
	if err != nil {
		return nil, err
	}
	l := startLaps()
	g, gctx := errgroup.WithContext(ctx)
	for _, img := range p.suite.Images {
		g.Go(func() error { return p.build(gctx, log, img, epoch) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	l.lap(partBuild)
	err = p.inCluster(ctx, log, l, func(k kubectl) error {
		g, gctx := errgroup.WithContext(ctx)
		for _, img := range p.suite.Images {
			g.Go(func() error { return p.loadArchive(gctx, log, k.node, p.tag(img.Name)) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		l.lap(partLoad)
		if err := k.prepare(ctx); err != nil {
			return err
		}
		g, gctx = errgroup.WithContext(ctx)
		for _, w := range p.suite.Workloads {
			g.Go(func() error { return k.workload(gctx, w) })
		}
		return g.Wait()
	})
	return l.parts, err
}

// loadArchive saves images into a file and imports that, as `kind load image-archive`
// does.
func (p *peer) loadArchive(ctx context.Context, log io.Writer, node string, refs ...string) (err error) {
	file, err := os.CreateTemp(p.state, p.side+"-*.tar")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	if err := load.Save(ctx, p.engine, refs, file, log); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	c := p.engine.Command(log, "exec", "--privileged", "--interactive", node, "ctr", "--namespace=k8s.io", "images", "import",
		"--all-platforms", "--digests", "--snapshotter=overlayfs", "-")
	c.Stdin = file
	if _, err := p.engine.Runner.Run(ctx, c); err != nil {
		return fmt.Errorf("import %s: %w", strings.Join(refs, ", "), err)
	}
	return nil
}

// inCluster makes a plain cluster, lets install bring the system up, waits for its
// answers, and deletes the cluster.
func (p *peer) inCluster(ctx context.Context, log io.Writer, l *laps, install func(kubectl) error) error {
	mappings, urls, err := p.endpoints(ctx)
	if err != nil {
		return err
	}
	return p.withPlain(ctx, log, mappings, false, func(ctx context.Context, _ time.Time, _ float64) error {
		l.lap(partCluster)
		k := kubectl{peer: p, node: p.clusterName("plain") + "-control-plane", log: log}
		if err := install(k); err != nil {
			return err
		}
		if err := answered(ctx, urls...); err != nil {
			return err
		}
		l.lap(partDeploy)
		return nil
	})
}

// endpoints draws a free port of this machine for each endpoint of the suite, and tells
// which URLs are to answer.
func (p *peer) endpoints(ctx context.Context) (mappings []v1alpha4.PortMapping, urls []string, err error) {
	for _, e := range p.suite.Endpoints {
		port, err := freePort(ctx)
		if err != nil {
			return nil, nil, err
		}
		mappings = append(mappings, v1alpha4.PortMapping{ContainerPort: e.NodePort, HostPort: port, ListenAddress: "127.0.0.1"})
		if e.Path != "" {
			urls = append(urls, fmt.Sprintf("http://127.0.0.1:%d%s", port, e.Path))
		}
	}
	return mappings, urls, nil
}

func freePort(ctx context.Context) (int32, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.Join(fmt.Errorf("no TCP address: %v", listener.Addr()), listener.Close())
	}
	return int32(address.Port), listener.Close() //nolint:gosec // A port has 16 bits.
}

// answered asks each URL until its answer is 200.
func answered(ctx context.Context, urls ...string) error {
	for _, url := range urls {
		if err := answers(ctx, url); err != nil {
			return err
		}
	}
	return nil
}

func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("%s does not answer within %s", url, answerTimeout))
	defer cancel()
	tick := time.NewTicker(answerEvery)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// kubectl is the one inside the node: nothing has to be installed for it.
type kubectl struct {
	*peer
	node string
	log  io.Writer
}

func (k kubectl) run(ctx context.Context, stdin []byte, args ...string) error {
	c := k.engine.Command(k.log, append([]string{"exec", "--interactive", k.node, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"}, args...)...)
	c.Stdin = bytes.NewReader(stdin)
	if _, err := k.engine.Runner.Run(ctx, c); err != nil {
		return fmt.Errorf("kubectl %s: %w", args[0], err)
	}
	return nil
}

// prepare makes namespaces, CRDs and secrets.
func (k kubectl) prepare(ctx context.Context) error {
	for _, folder := range k.suite.Setup {
		if err := k.apply(ctx, folder); err != nil {
			return err
		}
	}
	for _, s := range k.suite.Secrets {
		args := []string{"create", "secret", "generic", s.Name, "--namespace", k.suite.Namespace}
		for key, value := range s.Fixed {
			args = append(args, "--from-literal="+key+"="+value)
		}
		for _, key := range s.Random {
			args = append(args, "--from-literal="+key+"="+secretValue)
		}
		if err := k.run(ctx, nil, args...); err != nil {
			return err
		}
	}
	return nil
}

// workload applies a workload and waits until it is rolled out.
func (k kubectl) workload(ctx context.Context, w hybrid.Workload) error {
	if err := k.apply(ctx, w.Manifests); err != nil {
		return err
	}
	return k.run(ctx, nil, "rollout", "status", "deployment/"+w.Name, "--namespace", k.suite.Namespace, "--timeout", rolloutTimeout.String())
}

var builtImage = regexp.MustCompile(`image: hybrid\.local/([a-z]+)\b`)

// apply sends all manifests of a folder.
func (k kubectl) apply(ctx context.Context, folder string) error {
	text, err := k.manifests(folder)
	if err != nil {
		return err
	}
	return k.run(ctx, []byte(text), "apply", "--filename", "-")
}

// manifests are all those of a folder, with the peer's images.
func (p *peer) manifests(folder string) (string, error) {
	files, err := filepath.Glob(filepath.Join(p.checkout, folder, "*.yaml"))
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	var all []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		all = append(all, builtImage.ReplaceAllString(string(text), "image: "+p.tag("$1")))
	}
	return strings.Join(all, "\n---\n"), nil
}
