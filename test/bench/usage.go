package bench

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// gatewayEvery and kubeletEvery are the pauses between two samples. The kubelet
	// looks at a container every ten seconds or so, whoever asks.
	gatewayEvery = time.Second
	kubeletEvery = 2 * time.Second
)

// Names of the shares that are not containers.
const (
	shareMachine   = "machine"
	shareGenerator = "load generator"
	// shareServer is a container too.
	shareServer = "kube-apiserver"
)

// usage collects samples while a load runs.
type usage struct {
	from, to time.Time

	mu     sync.Mutex
	shares map[string]series
	states []gatewayState
	// missed is the latest reason why a sample could not be taken.
	missed error
}

// observe samples until the function that it returns is called, which waits for the
// last samples.
func (s *system) observe(ctx context.Context) func() *usage {
	ctx, cancel := context.WithCancel(ctx)
	u := &usage{shares: map[string]series{}}
	u.sampleServer(ctx, s)
	u.from = time.Now()
	u.local()
	var running sync.WaitGroup
	running.Go(func() { every(ctx, gatewayEvery, func() { u.sampleGateway(ctx, s) }) })
	running.Go(func() { every(ctx, kubeletEvery, func() { u.sampleContainers(ctx, s) }) })
	return func() *usage {
		u.local()
		u.to = time.Now()
		cancel()
		running.Wait()
		u.sampleServer(context.WithoutCancel(ctx), s)
		u.sampleGateway(context.WithoutCancel(ctx), s)
		return u
	}
}

// every calls at once and then in each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, call func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		call()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// local samples what this process and this machine have used.
func (u *usage) local() {
	now := time.Now()
	for name, read := range map[string]func(time.Time) (sample, error){shareMachine: machine, shareGenerator: self} {
		one, err := read(now)
		u.take(map[string]sample{name: one}, err)
	}
}

func (u *usage) sampleGateway(ctx context.Context, s *system) {
	state, err := s.gateway(ctx)
	if err != nil {
		u.take(nil, err)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.states = append(u.states, state)
}

// sampleServer asks the API server itself, at both ends of the load.
func (u *usage) sampleServer(ctx context.Context, s *system) {
	used, err := s.apiserver(ctx)
	u.take(map[string]sample{shareServer: used}, err)
}

func (u *usage) sampleContainers(ctx context.Context, s *system) {
	used, err := s.containers(ctx)
	delete(used, shareServer) // Its own samples are newer.
	u.take(used, err)
}

// take keeps samples, or the reason why there are none.
func (u *usage) take(used map[string]sample, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if errors.Is(err, context.Canceled) {
		return // The load is over.
	}
	if err != nil {
		u.missed = err
		return
	}
	for name, one := range used {
		u.shares[name] = u.shares[name].add(one)
	}
}

// gateway returns the samples that the Gateway gave of itself.
func (u *usage) gateway() series {
	u.mu.Lock()
	defer u.mu.Unlock()
	own := make(series, 0, len(u.states))
	for _, state := range u.states {
		own = own.add(state.sample)
	}
	return own
}

// cores returns how many processors each share kept busy.
func (u *usage) cores() map[string]float64 {
	own := u.gateway().cores()
	u.mu.Lock()
	defer u.mu.Unlock()
	cores := map[string]float64{"gateway": own}
	for name, samples := range u.shares {
		if name == "gateway" {
			continue // Its own samples are newer than the kubelet's.
		}
		if name != shareServer {
			samples = samples.between(u.from, u.to)
		}
		if busy := samples.cores(); busy > 0 {
			cores[name] = busy
		}
	}
	return cores
}
