package diagnose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hybrid-e2e/hybrid/hybrid/mask"
)

// defaultTimeout is what a failed run waits for its evidence at most. The whole
// of a one-node cluster with four services takes a few seconds.
const defaultTimeout = 15 * time.Second

// Options say what to collect and where to. Whatever is left out is skipped.
type Options struct {
	// Cause is why the run failed; it opens the summary.
	Cause error
	// Dir receives the files; it is created. Mandatory.
	Dir string
	// Client reaches the cluster. When nil, one is made of Config; when that is
	// nil too, the cluster is not asked.
	Client kubernetes.Interface
	Config *rest.Config
	// Namespaces are those whose pods, events and logs are collected.
	Namespaces []string
	// Run runs the container engine's client with the arguments and returns its
	// standard output; nil skips the nodes.
	Run func(ctx context.Context, args ...string) ([]byte, error)
	// Nodes are the names of the node containers.
	Nodes []string
	// Timeout bounds everything; zero is 15 s.
	Timeout time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Collect writes the evidence below o.Dir. Parts that fail, or are not done in
// time, are listed in SUMMARY.md and are no error; an error means that the
// folder or the summary itself could not be written.
func Collect(ctx context.Context, o Options) error {
	if o.Dir == "" {
		return errors.New("diagnose: no folder to write to")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return fmt.Errorf("create the folder for evidence: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	c := &collector{o: o, masked: make(chan struct{})}
	if err := c.connect(); err != nil {
		c.gap("cluster", err)
	}
	c.background(func() { c.learnSecrets(limited) })
	if c.o.Client != nil {
		c.background(func() { c.nodeObjects(limited) })
		for _, namespace := range o.Namespaces {
			c.namespace(limited, namespace)
		}
	}
	if o.Run != nil {
		for _, node := range o.Nodes {
			c.node(limited, node)
		}
	}
	c.wait.Wait()
	return c.summarise()
}

// collector gathers parts at the same time and remembers what they showed.
type collector struct {
	o    Options
	wait sync.WaitGroup

	// masked is closed when mask is ready to be used.
	masked chan struct{}
	mask   mask.Masker

	mu       sync.Mutex
	files    []string
	findings []string
	gaps     []string
}

// learnSecrets reads the values that must not appear anywhere.
func (c *collector) learnSecrets(ctx context.Context) {
	defer close(c.masked)
	if c.o.Client == nil {
		return
	}
	var err error
	if c.mask, err = mask.Secrets(ctx, c.o.Client, c.o.Namespaces...); err != nil {
		c.gap("values to mask", err)
	}
}

func (c *collector) connect() error {
	if c.o.Client != nil || c.o.Config == nil {
		return nil
	}
	config := rest.CopyConfig(c.o.Config)
	// Evidence is many small calls at once; the client must not slow them down.
	config.QPS, config.Burst = 200, 400
	config.WarningHandler = rest.NoWarnings{}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make the Kubernetes client: %w", err)
	}
	c.o.Client = client
	return nil
}

func (c *collector) background(f func()) { c.wait.Go(f) }

// save writes one part. Output that came together with an error is kept too.
func (c *collector) save(file string, data []byte, err error) {
	if err != nil {
		c.gap(file, err)
	}
	if len(data) == 0 {
		return
	}
	<-c.masked
	path := filepath.Join(c.o.Dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.gap(file, err)
		return
	}
	if err := os.WriteFile(path, []byte(c.mask.Text(string(data))), 0o644); err != nil {
		c.gap(file, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = append(c.files, file)
}

// find adds a sentence to the findings of the summary.
func (c *collector) find(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings = append(c.findings, fmt.Sprintf(format, args...))
}

// gap notes that a part could not be had.
func (c *collector) gap(what string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gaps = append(c.gaps, fmt.Sprintf("%s: %v", what, err))
}

// sorted returns files, findings and gaps in a stable order.
func (c *collector) sorted() (files, findings, gaps []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range [][]string{c.files, c.findings, c.gaps} {
		sort.Strings(list)
	}
	return c.files, c.findings, c.gaps
}
