package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeletStarts begins the line of kubeadm's output after which its kubeconfigs are there
// and the API server is about to be.
const kubeletStarts = "[kubelet-start] Starting the kubelet"

// start sets Kubernetes up on nodes that kind has made and written a kubeadm
// configuration to. Kind itself would go on with one command of the engine after the
// other: 9 of the 28 s that a cluster took on a slow machine passed after kubeadm, most
// of them with kubectl on a node whose API server had answered for long. Here one client
// of the host creates the network and the storage class from the moment when the API
// server answers, while kubeadm still works on its add-ons.
func (c *Cluster) start(ctx context.Context, out io.Writer) error {
	starting := make(chan struct{})
	begin := sync.OnceFunc(func() { close(starting) })
	init, ictx := errgroup.WithContext(ctx)
	init.Go(func() error {
		// Should it never say so, the rest begins when it has ended.
		defer begin()
		return c.kubeadm(ictx, out, 0, func(line string) {
			if strings.HasPrefix(line, kubeletStarts) {
				begin()
			}
		}, "init", "--skip-token-print")
	})
	init.Go(func() error {
		select {
		case <-starting:
			return c.furnish(ictx)
		case <-ictx.Done():
			return context.Cause(ictx)
		}
	})
	if err := init.Wait(); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	if c.record.Config.Workers == 0 {
		return c.balance(ctx)
	}
	join, jctx := errgroup.WithContext(ctx)
	for i := range c.record.Config.Workers {
		join.Go(func() error { return c.kubeadm(jctx, out, 1+i, nil, "join") })
	}
	return join.Wait()
}

// kubeadm runs kubeadm on node i with the configuration that kind has written there.
func (c *Cluster) kubeadm(ctx context.Context, out io.Writer, i int, each func(line string), verb string, flags ...string) error {
	node := nodeName(c.Name(), i)
	args := append([]string{"exec", "--privileged", node, "kubeadm", verb, "--config=/kind/kubeadm.conf"}, flags...)
	run := c.engine.Command(out, args...)
	run.Stdout = &lines{each: func(line string) {
		fmt.Fprintln(out, line)
		if each != nil {
			each(line)
		}
	}}
	if _, err := c.engine.Runner.Run(ctx, run); err != nil {
		return fmt.Errorf("start Kubernetes on node %s: %w", node, err)
	}
	return nil
}

// Files of a node with the control plane: what kubeadm makes, and what node images of
// kind's bring.
const (
	adminConf       = "etc/kubernetes/admin.conf"
	superAdminConf  = "etc/kubernetes/super-admin.conf"
	networkManifest = "kind/manifests/default-cni.yaml"
	storageManifest = "kind/manifests/default-storage.yaml"
)

// furnish writes the kubeconfig and, as soon as the API server answers, creates what
// node images of kind's expect to be created: the pod network and a storage class.
// CoreDNS is held back as soon as kubeadm has made it.
func (c *Cluster) furnish(ctx context.Context) error {
	var files map[string][]byte
	// Which of kubeadm's lines comes when depends on its version.
	err := retry(ctx, func(ctx context.Context) (err error) {
		files, err = c.readFiles(ctx, adminConf, superAdminConf, networkManifest, storageManifest)
		if err == nil && files[adminConf] == nil {
			err = fmt.Errorf("node %s has no /%s", nodeName(c.Name(), 0), adminConf)
		}
		return err
	})
	if err != nil {
		return err
	}
	admin, err := c.kubeconfig(files[adminConf])
	if err != nil {
		return err
	}
	if err := clientcmd.WriteToFile(*admin, c.Kubeconfig); err != nil {
		return fmt.Errorf("write the cluster's kubeconfig: %w", err)
	}
	// The administrator may do nothing until kubeadm has said so in the cluster; who is in
	// super-admin.conf, which kubeadm makes since 1.29, needs nobody's leave.
	user := admin
	if files[superAdminConf] != nil {
		if user, err = c.kubeconfig(files[superAdminConf]); err != nil {
			return err
		}
	}
	config, err := restConfig(user)
	if err != nil {
		return err
	}
	objects, err := manifests(files[networkManifest], files[storageManifest], nodeName(c.Name(), 0)+":6443")
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	creator, err := newCreator(config)
	if err != nil {
		return err
	}
	if err := apiReady(ctx, client); err != nil {
		return fmt.Errorf("wait for the API server: %w", err)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return creator.createAll(gctx, objects) })
	g.Go(func() error { return holdDNS(gctx, client) })
	return g.Wait()
}

// readFiles reads files of the node with the control plane, by their paths below /. One
// that does not exist is missing from the result.
func (c *Cluster) readFiles(ctx context.Context, paths ...string) (map[string][]byte, error) {
	node := nodeName(c.Name(), 0)
	out, err := c.engine.Run(ctx, nil, append([]string{"exec", node, "tar", "--create", "--ignore-failed-read", "--directory", "/"}, paths...)...)
	if err != nil {
		return nil, fmt.Errorf("read files of node %s: %w", node, err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(out)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err == nil {
			files[header.Name], err = io.ReadAll(archive)
		}
		if err != nil {
			return nil, fmt.Errorf("read files of node %s: %w", node, err)
		}
	}
}

// kubeconfig makes the host's kubeconfig of one of kubeadm's: the API server is where its
// port is mapped to, and the names are those that kind gives.
func (c *Cluster) kubeconfig(kubeadms []byte) (*clientcmdapi.Config, error) {
	have, err := clientcmd.Load(kubeadms)
	if err == nil {
		err = clientcmdapi.MinifyConfig(have)
	}
	if err != nil {
		return nil, fmt.Errorf("read a kubeconfig of kubeadm's: %w", err)
	}
	name := "kind-" + c.Name()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = name
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	for _, cluster := range have.Clusters {
		cluster.Server = "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.record.Config.APIServer)))
		config.Clusters[name] = cluster
	}
	for _, user := range have.AuthInfos {
		config.AuthInfos[name] = user
	}
	return config, nil
}

// apiReady returns when the API server says that it is ready.
func apiReady(ctx context.Context, client kubernetes.Interface) error {
	return retry(ctx, func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// balance takes from the only node the label that keeps load balancers from the control
// plane, as kind does: there is no other node that could be theirs.
func (c *Cluster) balance(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.REST)
	if err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:null}}}`, corev1.LabelNodeExcludeBalancers)
	_, err = client.CoreV1().Nodes().Patch(ctx, nodeName(c.Name(), 0), types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "hybrid"})
	if err != nil {
		return fmt.Errorf("let load balancers use the only node: %w", err)
	}
	return nil
}
