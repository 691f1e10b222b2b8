package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	endpoint = "unix:///run/containerd/containerd.sock"
	// callTimeout bounds one call; the daemon is on the same machine.
	callTimeout = 10 * time.Second
)

// crictl is what kind, people and the load phase need of crictl: "inspecti IMAGE" in
// the form that kind parses, "images", and the same as JSON.
func crictl(out io.Writer, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	connection, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	images := cri.NewImageServiceClient(connection)
	switch {
	case len(args) == 2 && args[0] == "inspecti":
		return inspect(ctx, out, images, args[1])
	case slices.Equal(args, []string{"images"}):
		return list(ctx, out, images, false)
	case slices.Equal(args, []string{"images", "--output", "json"}):
		return list(ctx, out, images, true)
	}
	return errors.New("usage: crictl inspecti IMAGE | crictl images [--output json]")
}

func inspect(ctx context.Context, out io.Writer, images cri.ImageServiceClient, ref string) error {
	answer, err := images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: ref}})
	if err != nil {
		return err
	}
	if answer.Image == nil {
		return fmt.Errorf("no such image %q present", ref)
	}
	status, err := protojson.Marshal(answer.Image)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]json.RawMessage{"status": status})
}

func list(ctx context.Context, out io.Writer, images cri.ImageServiceClient, asJSON bool) error {
	answer, err := images.ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return err
	}
	if asJSON {
		encoded, err := protojson.Marshal(answer)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", encoded)
		return err
	}
	for _, image := range answer.Images {
		fmt.Fprintln(out, image.Id, image.Size, image.RepoTags)
	}
	return nil
}
