package stock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

// Kind is what an image is for.
type Kind string

// The kinds.
const (
	Base          Kind = "base"
	UpdatedBase   Kind = "updated base"
	Service       Kind = "service"
	Node          Kind = "node"
	PreloadedNode Kind = "preloaded node"
)

// Policy is what the policy about security updates says of an image.
type Policy string

// The verdicts. Bases and nodes are exempt: each image is updated when it is built, and
// judged when it is loaded.
const (
	Within  Policy = "within the policy"
	TooOld  Policy = "too old"
	Unknown Policy = "unknown"
	Exempt  Policy = "exempt"
)

// Image is one that the engine holds.
type Image struct {
	// Ref is the full reference, Name and Key are its parts without the registry.
	Ref  string `json:"reference"`
	Name string `json:"name"`
	Key  string `json:"key"`
	Kind Kind   `json:"kind"`
	// Bytes is its size, layers that it shares with others counted.
	Bytes int64     `json:"bytes"`
	Made  time.Time `json:"made"`
	// Epoch is that of its security updates, empty when it has none or it is unknown.
	Epoch  string `json:"epoch,omitempty"`
	Policy Policy `json:"policy"`
	// Current tells whether the current sources use it.
	Current bool `json:"current"`
}

// List judges the pipeline's images among those that the engine holds, by their
// references, against the policy at now. It is sorted by name, the newest first.
func List(held map[string]engine.Image, current map[string]bool, now time.Time) []Image {
	list := []Image{}
	for ref, img := range held {
		if !image.IsOurs(ref) {
			continue
		}
		name, key, _ := strings.Cut(strings.TrimPrefix(ref, image.Registry+"/"), ":")
		x := Image{
			Ref: ref, Name: name, Key: key, Kind: kind(name, img), Bytes: img.Size, Made: img.Created,
			Epoch: img.Config.Labels[image.EpochLabel], Policy: Exempt, Current: current[ref],
		}
		if x.Kind == Service || x.Kind == UpdatedBase {
			x.Policy = judge(x.Epoch, now)
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b Image) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), b.Made.Compare(a.Made), cmp.Compare(a.Key, b.Key))
	})
	return list
}

func kind(name string, img engine.Image) Kind {
	switch {
	case img.Config.Labels[load.NodeLabel] != "":
		return PreloadedNode
	case name == offline.NodeName:
		return Node
	case strings.HasPrefix(name, offline.BaseFolder):
		return Base
	case strings.HasPrefix(name, image.UpdatedPrefix):
		return UpdatedBase
	}
	return Service
}

// judge is what loading the image would say.
func judge(epoch string, now time.Time) Policy {
	switch {
	case image.CheckLabel(epoch, now) == nil:
		return Within
	case image.Age(epoch, now) > 0:
		return TooOld
	}
	return Unknown
}

// Table is the list as text for a terminal: a line for each image, columns aligned, and
// what they come to.
func Table(list []Image, now time.Time) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "IMAGE\tKEY\tIS\tSIZE\tMADE\tUPDATES\tSOURCES")
	var bytes int64
	count := 0
	for _, x := range list {
		sources := "not used"
		if x.Current {
			sources = "current"
			count++
		}
		bytes += x.Bytes
		fmt.Fprintf(w, "%s\t%s\t%s\t%d MB\t%s ago\t%s\t%s\n", x.Name, x.Key, x.Kind, x.Bytes/1e6,
			duration.HumanDuration(now.Sub(x.Made)), x.updates(now), sources)
	}
	_ = w.Flush() // A strings.Builder takes everything.
	fmt.Fprintf(&b, "%d images of %s, %d MB with shared layers counted each time; the current sources use %d\n",
		len(list), image.Registry, bytes/1e6, count)
	fmt.Fprintf(&b, "policy: an image is loaded when its security updates are not older than %s\n", duration.HumanDuration(image.MaxAge))
	return b.String()
}

func (x Image) updates(now time.Time) string {
	if x.Policy == Exempt || x.Policy == Unknown {
		return string(x.Policy)
	}
	return duration.HumanDuration(image.Age(x.Epoch, now)) + " old, " + string(x.Policy)
}
