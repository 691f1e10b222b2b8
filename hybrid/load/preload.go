package load

import (
	"context"
	"crypto/sha256"
	_ "embed" // The scripts below.
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// PreloadedName is the repository of node images with preloaded images.
const PreloadedName = image.Registry + "/kindest-node-preloaded"

// The labels of a node image with preloaded images: the one that it was made of, and the
// images that it holds, each with the digest of its configuration.
const (
	NodeLabel = "io.hybrid.preloaded-into"
	HeldLabel = "io.hybrid.preloaded"

	heldSeparator = ","
)

// preloadKeyLength is how many hexadecimal digits of the SHA-256 make a tag.
const preloadKeyLength = 16

// The scripts that make the node image, and that a node of it unpacks with.
var (
	//go:embed preload.sh
	preloadScript string
	//go:embed preloaded.sh
	preloadedScript string
)

// PreloadOptions say what a node image is to hold.
type PreloadOptions struct {
	Engine *engine.Engine
	// Node is the node image without them.
	Node string
	// Refs are the images to hold.
	Refs []string
	// Changing are those of Refs that change with every line of code. Only what is
	// below their last layer decides whether there is a node image already.
	Changing []string
	// Changes are Dockerfile instructions that give the result a node's entry.
	Changes []string
}

// PreloadTask makes a node image that starts with the images, unless it exists. Its
// reference is stored in result when the task has ended.
func PreloadTask(o PreloadOptions, result *string) task.Task {
	return task.Task{Name: "node.preload", Run: func(ctx context.Context, h *task.Handle) error {
		ref, images, err := o.ref(ctx)
		if err != nil {
			return err
		}
		*result = ref
		present, err := o.Engine.HasImage(ctx, ref)
		if err != nil {
			return err
		}
		if present {
			h.Cached("%s", ref)
			return nil
		}
		if err := o.make(ctx, h, ref, images); err != nil {
			return fault.With(fmt.Errorf("preload the node image: %w", err), "PRELOAD=0 mage cluster, which does without")
		}
		h.Detail("%s, %d images", ref, len(o.Refs))
		return nil
	}}
}

// ref names the node image after all that it starts with, but for the last layers of
// what changes.
func (o PreloadOptions) ref(ctx context.Context) (ref string, images map[string]engine.Image, err error) {
	all := append([]string{o.Node}, o.Refs...)
	if images, err = o.Engine.Inspect(ctx, all...); err != nil {
		return "", nil, err
	}
	ref, err = o.Ref(images)
	return ref, images, err
}

// Ref is the reference that the node image has, given what the engine holds: the node
// image without them and all of Refs.
func (o PreloadOptions) Ref(images map[string]engine.Image) (string, error) {
	all := append([]string{o.Node}, o.Refs...)
	h := sha256.New()
	fmt.Fprintf(h, "scripts %q %q\n", preloadScript, preloadedScript)
	slices.Sort(all[1:])
	for _, ref := range all {
		img, ok := images[ref]
		if !ok {
			return "", fault.With(fmt.Errorf("%s: the engine does not hold it", ref), "mage build")
		}
		if !slices.Contains(o.Changing, ref) {
			fmt.Fprintf(h, "image %s %s\n", ref, img.ID)
			continue
		}
		name, _, _ := strings.Cut(ref, ":")
		ids := chains(img)
		fmt.Fprintf(h, "below %s %s\n", name, ids[:max(0, len(ids)-1)])
	}
	return PreloadedName + ":" + hex.EncodeToString(h.Sum(nil))[:preloadKeyLength], nil
}

// make bakes the images into a copy of the node image.
func (o PreloadOptions) make(ctx context.Context, log io.Writer, ref string, images map[string]engine.Image) error {
	nothing := func(context.Context) (map[string]digest.Digest, error) { return nil, nil }
	_, _, err := relay(ctx, o.Engine, o.Refs, log, nothing, func(ctx context.Context, archive io.Reader) error {
		return o.Engine.Bake(ctx, engine.BakeOptions{
			From: o.Node, To: ref, Shell: []string{"-c", preloadScript, "preload", preloadedScript}, Stdin: archive, Purpose: "preload", Log: log,
			Changes: append(slices.Clone(o.Changes), "LABEL "+NodeLabel+"="+o.Node+" "+HeldLabel+"="+heldText(o.Refs, images)),
		})
	})
	return err
}

// heldText is the label's text for images of these references.
func heldText(refs []string, images map[string]engine.Image) string {
	entries := make([]string, len(refs))
	for i, ref := range refs {
		entries[i] = ref + "=" + images[ref].ID
	}
	return strings.Join(entries, heldSeparator)
}

// Held is what new nodes of a node image hold, given its labels, by reference; nil when
// these do not tell.
func Held(labels map[string]string) map[string]string {
	text, told := labels[HeldLabel]
	if !told {
		return nil
	}
	known := map[string]string{}
	for entry := range strings.SplitSeq(text, heldSeparator) {
		ref, id, found := strings.Cut(entry, "=")
		if !found {
			return nil
		}
		known[ref] = id
	}
	return known
}
