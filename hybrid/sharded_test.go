package hybrid

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
)

func TestSettingsThatSeveralClustersCannotShareAreRefused(t *testing.T) {
	for want, c := range map[string]struct {
		o Options
		n int
	}{
		"": {Options{FixedPorts: true}, 1},
		"0 clusters at the same time: want 1 to 20":                      {Options{}, 0},
		"21 clusters at the same time: want 1 to 20":                     {Options{}, 21},
		"SHARD=1/2 is one shard, and all are to run":                     {Options{Shard: shard.Part{Number: 1, Of: 2}}, 2},
		"FIXED_PORTS: 2 clusters cannot share the ports of this machine": {Options{FixedPorts: true}, 2},
	} {
		err := severalClusters(c.o, c.n)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%+v, %d: %v, want %q", c.o.Shard, c.n, err, want)
		}
	}
}

func TestShardsOfARunHaveNamesAndFoldersOfTheirOwn(t *testing.T) {
	var out bytes.Buffer
	root, suite := repository(t)
	p := newPipeline(suite, options(root, &out, anEngine()).withDefaults())
	p.run, p.clusters = p.run+mergedName, 2
	p.begin()
	if err := p.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, busy := Open(t.Context(), suite, options(root, &bytes.Buffer{}, anEngine()))
	if busy == nil || !strings.Contains(busy.Error(), "another run is at work in this checkout") {
		t.Errorf("a run beside the shards: %v", busy)
	}
	q, err := p.shardOf(shard.Part{Number: 2, Of: 2})
	if err != nil {
		t.Fatal(err)
	}
	if q.run != "20261123-120000-shop-2of2" || q.state != filepath.Join(root, ".hybrid", "shop", "2of2") || q.clusterOf() != "shop-2of2" {
		t.Errorf("run %s, state %s, cluster of %s", q.run, q.state, q.clusterOf())
	}
	failed := errors.New("no cluster for it")
	if err := q.Close(t.Context(), failed); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "\n2/2 FAILED") {
		t.Errorf("output %s", out.String())
	}
	_, busy = Open(t.Context(), suite, options(root, &bytes.Buffer{}, anEngine()))
	if busy == nil {
		t.Error("a shard that ended gave the checkout away")
	}
	if err := p.Close(t.Context(), nil); err != nil {
		t.Error(err)
	}
	p, err = Open(t.Context(), suite, options(root, &out, anEngine()))
	if err != nil {
		t.Fatalf("after the end of all: %v", err)
	}
	if err := p.Close(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestOneFailureHidesNoOther lets both shards fail, each in its own way.
func TestOneFailureHidesNoOther(t *testing.T) {
	var out bytes.Buffer
	root, suite := repository(t)
	p := newPipeline(suite, options(root, &out, anEngine()).withDefaults())
	p.run, p.clusters = p.run+mergedName, 2
	p.begin()
	if err := p.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Without images no shard gets a cluster.
	err := p.Close(t.Context(), p.inShards(t.Context()))
	for _, want := range []string{"shard 1/2: cluster: refused", "shard 2/2: cluster: refused", "read what a shard has"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	timeline, err := report.Load(filepath.Join(root, "_artifacts", "latest", report.FileName))
	if err != nil || timeline.Run != "20261123-120000-shop-merged" || timeline.Result != report.Errored || len(timeline.Shards) != 2 {
		t.Errorf("timeline %+v, %v", timeline, err)
	}
}

func TestARunInShardsThatIsRefusedSaysSo(t *testing.T) {
	var out bytes.Buffer
	root, suite := repository(t)
	if err := EndToEndSharded(t.Context(), suite, options(root, &out, &command.Recorder{}), 2); !errors.Is(err, engine.ErrNone) {
		t.Errorf("error %v", err)
	}
	if err := EndToEndSharded(t.Context(), suite, options(root, &out, anEngine()), 0); err == nil || !strings.Contains(out.String(), "0 clusters at the same time") {
		t.Errorf("error %v, output\n%s", err, out.String())
	}
}
