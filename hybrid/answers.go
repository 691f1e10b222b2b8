package hybrid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Asking the endpoints from the host.
const (
	// answerTimeout is how long an endpoint may take to answer once its workload
	// is ready.
	answerTimeout = 30 * time.Second
	answerEvery   = 100 * time.Millisecond
)

func (p *Pipeline) environmentFile() string { return filepath.Join(p.dir, "environment.json") }

func (p *Pipeline) environment(ctx context.Context) (Environment, error) {
	env := Environment{
		Run: p.run, Suite: p.suite.Name, Kubeconfig: p.cluster.Kubeconfig, Namespace: p.namespace(),
		Artifacts: p.dir, Kept: p.cluster.Kept(), Coverage: !p.o.Plain, Endpoints: map[string]string{}, Images: map[string]string{},
	}
	for _, plan := range p.plans {
		env.Images[plan.Name] = plan.Ref
	}
	if p.o.Existing.Named {
		return p.reached(ctx, env)
	}
	for _, port := range p.cluster.Ports() {
		env.Endpoints[port.Name] = fmt.Sprintf("http://127.0.0.1:%d", port.Host)
	}
	if p.routed && len(p.suite.Spare) > 0 {
		reach, err := p.deployer.Reach(ctx)
		if err != nil {
			return env, err
		}
		env.Node = reach.Node
	}
	return env, nil
}

// awaitAnswers asks every endpoint that declares a path until it answers 200.
// From outside the cluster there is nothing to watch, so this asks again.
func (p *Pipeline) awaitAnswers(ctx context.Context, env Environment) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %s", answerTimeout))
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, e := range p.suite.Endpoints {
		if e.Path == "" {
			continue
		}
		if err := await(ctx, client, env.Endpoints[e.Name]+e.Path); err != nil {
			return fault.With(fmt.Errorf("endpoint %s: %w", e.Name, err), "kubectl --kubeconfig "+env.Kubeconfig+" -n "+env.Namespace+" get pods,endpointslices")
		}
		if !p.routed || env.Node == "" {
			continue
		}
		// What specs open of their own is reached like this.
		own := "http://" + net.JoinHostPort(env.Node, strconv.Itoa(int(e.NodePort))) + e.Path
		if err := await(ctx, client, own); err != nil {
			return fault.With(fmt.Errorf("endpoint %s at the node's own address: %w", e.Name, err), "FIXED_PORTS=1 "+p.again()+", which maps all ports")
		}
	}
	return nil
}

// again is the command that repeats the run.
func (p *Pipeline) again() string { return cmp.Or(p.o.Again, "mage e2e:"+p.suite.Name) }

func await(ctx context.Context, client *http.Client, url string) error {
	tick := time.NewTicker(answerEvery)
	defer tick.Stop()
	last := errors.New("not asked")
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s answers %s", url, answer.Status)
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}
