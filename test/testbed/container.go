package testbed

import (
	"bytes"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// Execute runs a shell command in the container of a workload's only pod that is
// named like the workload, and returns what it printed.
func (b *Bed) Execute(ctx context.Context, workload, command string) (string, error) {
	return b.ExecuteIn(ctx, workload, workload, command)
}

// ExecuteIn is Execute in another container of the pod.
func (b *Bed) ExecuteIn(ctx context.Context, workload, container, command string) (string, error) {
	pods, err := b.Pods(ctx, workload)
	if err != nil || len(pods) != 1 {
		return "", fmt.Errorf("want one pod of %s, there are %d: %w", workload, len(pods), err)
	}
	request := b.Clientset.CoreV1().RESTClient().Post().Resource("pods").
		Namespace(pods[0].Namespace).Name(pods[0].Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: container, Command: []string{"/bin/sh", "-c", command}, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(b.config, "GET", request.URL().String())
	if err != nil {
		return "", fmt.Errorf("run %q in %s: %w", command, pods[0].Name, err)
	}
	var output, complaints bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &output, Stderr: &complaints})
	if err != nil {
		return output.String(), fmt.Errorf("run %q in %s: %w: %s", command, pods[0].Name, err, complaints.String())
	}
	return output.String(), nil
}
