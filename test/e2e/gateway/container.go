package gateway

import (
	"bytes"
	"context"
	"fmt"

	. "github.com/onsi/gomega"

	. "github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// outageFile keeps PostgreSQL from starting as long as it exists. It is beside the
// data, so that it outlives the container as the data does.
const outageFile = "/var/lib/postgresql/data/outage"

// stoppable lets a copy of PostgreSQL be away for a while and come back with its
// data: its container waits while outageFile exists.
func stoppable(d *appsv1.Deployment) {
	if d.Name == "postgresql" {
		d.Spec.Template.Spec.Containers[0].Command = []string{
			"/bin/sh", "-c",
			"while [ -e " + outageFile + " ]; do sleep 0.1; done; exec /usr/local/bin/hybrid-postgresql",
		}
	}
}

// stopPostgreSQL ends the server in the middle of whatever it does, as a crash
// would, and keeps it away until startPostgreSQL.
func (s *system) stopPostgreSQL(ctx context.Context) {
	GinkgoHelper()
	// PID 1 is the server; SIGQUIT makes it drop everything.
	Expect(s.execute(ctx, "postgresql", "touch "+outageFile+" && kill -QUIT 1")).To(Succeed())
}

// startPostgreSQL lets the server start again. Its container is running: it waits.
func (s *system) startPostgreSQL(ctx context.Context) {
	GinkgoHelper()
	Eventually(s.execute, rolloutBudget, poll).WithContext(ctx).WithArguments("postgresql", "rm "+outageFile).Should(Succeed())
}

// execute runs a shell command in the only pod of a workload.
func (s *system) execute(ctx context.Context, workload, command string) error {
	pods, err := s.pods(ctx, workload)
	if err != nil || len(pods) != 1 {
		return fmt.Errorf("want one pod of %s, there are %d: %w", workload, len(pods), err)
	}
	request := s.clientset.CoreV1().RESTClient().Post().Resource("pods").
		Namespace(pods[0].Namespace).Name(pods[0].Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Command: []string{"/bin/sh", "-c", command}, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(s.config, "GET", request.URL().String())
	if err != nil {
		return fmt.Errorf("run %q in %s: %w", command, pods[0].Name, err)
	}
	var output bytes.Buffer
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &output, Stderr: &output}); err != nil {
		return fmt.Errorf("run %q in %s: %w: %s", command, pods[0].Name, err, output.String())
	}
	return nil
}
