package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"
	kindexec "sigs.k8s.io/kind/pkg/exec"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// provider gives kind's library the engine that everything else uses, always
// explicitly: kind's own detection could choose another one.
func provider(kindOfEngine string, out io.Writer) *kind.Provider {
	option := kind.ProviderWithDocker()
	if kindOfEngine == engine.Podman {
		option = kind.ProviderWithPodman()
	}
	return kind.NewProvider(option, kind.ProviderWithLogger(logger{out}))
}

// kubeadm settings for a cluster that lives for minutes: elliptic keys are made
// in no time, there is nobody to elect a leader against, and etcd need not
// survive a power cut, so it writes to the node's tmpfs without fsync. The API
// server and etcd spend a quarter of their time on collecting garbage from small
// heaps; with some more memory they do it a quarter as often. Each controller may send
// 20 requests per second unless told otherwise, and a Deployment takes four of its own:
// of 50 that were applied within a second the last got its pod after 8 s.
const kubeadmPatch = `kind: ClusterConfiguration
encryptionAlgorithm: ECDSA-P256
apiServer:
  extraEnvs:
  - name: GOGC
    value: "400"
etcd:
  local:
    dataDir: /tmp/etcd
    extraArgs:
    - name: unsafe-no-fsync
      value: "true"
    extraEnvs:
    - name: GOGC
      value: "400"
controllerManager:
  extraArgs:
  - name: leader-elect
    value: "false"
  - name: kube-api-qps
    value: "200"
  - name: kube-api-burst
    value: "400"
scheduler:
  extraArgs:
  - name: leader-elect
    value: "false"
`

// On cgroup v1 the kubelet refuses to start unless told otherwise.
const cgroupV1Patch = `kind: KubeletConfiguration
failCgroupV1: false
`

// Node images have all that preflight would look for, and kind leaves it out. The last of
// these phases restarts the kubelet, so that it renews its certificate from the first on:
// it is valid for a year, and starting pods waited for it.
const phasesPatch = `kind: InitConfiguration
skipPhases:
- preflight
- kubelet-finalize
`

// kube-proxy gathers changes for a second, so that rules come up to a second after a pod is
// ready. Here nothing changes often enough for that to be worth it.
const proxyPatch = `kind: KubeProxyConfiguration
iptables:
  minSyncPeriod: 100ms
`

// Pods may run on the control plane when there is no other node.
const onlyNodePatch = `kind: InitConfiguration
nodeRegistration:
  taints: []
`

// podSubnet is where pods get their addresses from; kind's own choice.
const podSubnet = "10.244.0.0/16"

// kindConfig turns our configuration into kind's.
func kindConfig(c Config, cgroupV2 bool) *v1alpha4.Cluster {
	out := &v1alpha4.Cluster{
		Name:                 c.Name,
		KubeadmConfigPatches: []string{kubeadmPatch, phasesPatch, proxyPatch},
		Networking:           v1alpha4.Networking{KubeProxyMode: v1alpha4.IPTablesProxyMode, PodSubnet: podSubnet, APIServerPort: c.APIServer},
	}
	if !cgroupV2 {
		out.KubeadmConfigPatches = append(out.KubeadmConfigPatches, cgroupV1Patch)
	}
	if c.Workers == 0 {
		out.KubeadmConfigPatches = append(out.KubeadmConfigPatches, onlyNodePatch)
	}
	for i := range 1 + c.Workers {
		node := v1alpha4.Node{Role: v1alpha4.WorkerRole, Image: c.NodeImage}
		if i == 0 {
			node.Role = v1alpha4.ControlPlaneRole
			for _, p := range c.Ports {
				node.ExtraPortMappings = append(node.ExtraPortMappings, v1alpha4.PortMapping{
					ContainerPort: p.Node, HostPort: p.Host, ListenAddress: "127.0.0.1", Protocol: v1alpha4.PortMappingProtocolTCP,
				})
			}
		}
		if c.CoverData != "" {
			node.ExtraMounts = []v1alpha4.Mount{{HostPath: c.CoverData, ContainerPath: coverage.Path}}
		}
		out.Nodes = append(out.Nodes, node)
	}
	return out
}

// cgroupV2 tells whether this machine's cgroups are of the unified kind.
func cgroupV2() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err == nil
}

// runKind calls kind's library, which knows no contexts: when ctx ends first, the
// caller deletes the nodes, on which kind's own commands then fail. The channel that
// is closed after the call tells when it has ended.
func runKind(ctx context.Context, ended chan<- struct{}, call func() error) error {
	done := make(chan error, 1)
	go func() {
		defer close(ended)
		done <- call()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// makeNodes makes the nodes and writes each a kubeadm configuration.
func (c *Cluster) makeNodes(ctx context.Context, out io.Writer) error {
	p := provider(c.engine.Kind, out)
	c.creating = make(chan struct{})
	return withOutput(runKind(ctx, c.creating, func() error {
		return p.Create(c.record.Config.Name,
			kind.CreateWithV1Alpha4Config(kindConfig(c.record.Config, cgroupV2())),
			kind.CreateWithRetain(true),
			kind.CreateWithStopBeforeSettingUpKubernetes(true),
		)
	}), out)
}

// outputBytes is how much of a failed command's output an error carries.
const outputBytes = 2048

// withOutput adds to an error of kind's what the command that failed has said. Commands of
// kind's are long; of this one the first words stay, and all of it goes to out.
func withOutput(err error, out io.Writer) error {
	failed := kindexec.RunErrorForError(err)
	if failed == nil {
		return err
	}
	fmt.Fprintln(out, err)
	first := failed.Command[:min(2, len(failed.Command))]
	short := strings.Replace(err.Error(), failed.Error(), fmt.Sprintf("%s: %v", strings.Join(first, " "), failed.Inner), 1)
	output := bytes.TrimSpace(failed.Output)
	output = output[max(0, len(output)-outputBytes):]
	return &kindError{strings.TrimSpace(short + "\n" + string(bytes.ToValidUTF8(output, nil))), err}
}

// kindError is an error of kind's, told in other words.
type kindError struct {
	text string
	err  error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.err }

// logger hands kind's messages to the task's output.
type logger struct{ out io.Writer }

func (l logger) Warn(message string)               { fmt.Fprintln(l.out, "warning:", message) }
func (l logger) Warnf(format string, args ...any)  { l.Warn(fmt.Sprintf(format, args...)) }
func (l logger) Error(message string)              { fmt.Fprintln(l.out, "error:", message) }
func (l logger) Errorf(format string, args ...any) { l.Error(fmt.Sprintf(format, args...)) }
func (l logger) V(level log.Level) log.InfoLogger  { return infoLogger{l.out, level <= 1} }

type infoLogger struct {
	out     io.Writer
	enabled bool
}

func (l infoLogger) Info(message string) {
	if l.enabled {
		fmt.Fprintln(l.out, message)
	}
}
func (l infoLogger) Infof(format string, args ...any) { l.Info(fmt.Sprintf(format, args...)) }
func (l infoLogger) Enabled() bool                    { return l.enabled }
