package stock

import (
	"reflect"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// made is an image of so many hours before noon with one label, or none.
func made(hours int, label, value string) engine.Image {
	img := engine.Image{Created: noon.Add(-time.Duration(hours) * time.Hour), Size: 100e6}
	if label != "" {
		img.Config.Labels = map[string]string{label: value}
	}
	return img
}

func TestEveryImageIsJudged(t *testing.T) {
	held := map[string]engine.Image{
		"hybrid.local/shop:aa":                   made(1, image.EpochLabel, "2026-11-23"),
		"hybrid.local/shop:bb":                   made(30, image.EpochLabel, "2026-11-22"),
		"hybrid.local/shop:cc":                   made(40, "", ""),
		"hybrid.local/base/debian:dd":            made(50, "", ""),
		"hybrid.local/kindest-node:v1-ee":        made(50, "", ""),
		"hybrid.local/kindest-node-preloaded:ff": made(1, load.NodeLabel, "node"),
		"docker.io/library/debian:12":            made(1, "", ""),
	}
	list := List(held, map[string]bool{"hybrid.local/shop:aa": true}, noon)
	type verdict struct {
		ref     string
		kind    Kind
		policy  Policy
		current bool
	}
	var got []verdict
	for _, x := range list {
		got = append(got, verdict{x.Ref, x.Kind, x.Policy, x.Current})
	}
	want := []verdict{
		{"hybrid.local/base/debian:dd", Base, Exempt, false},
		{"hybrid.local/kindest-node:v1-ee", Node, Exempt, false},
		{"hybrid.local/kindest-node-preloaded:ff", PreloadedNode, Exempt, false},
		{"hybrid.local/shop:aa", Service, Within, true},
		{"hybrid.local/shop:bb", Service, TooOld, false},
		{"hybrid.local/shop:cc", Service, Unknown, false},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestTableSaysTheVerdictInWords(t *testing.T) {
	held := map[string]engine.Image{
		"hybrid.local/shop:aa":        made(1, image.EpochLabel, "2026-11-23"),
		"hybrid.local/shop:bb":        made(40, image.EpochLabel, "2026-11-21"),
		"hybrid.local/base/debian:dd": made(50, "", ""),
	}
	got := Table(List(held, map[string]bool{"hybrid.local/shop:aa": true}, noon), noon)
	want := `IMAGE        KEY  IS       SIZE    MADE      UPDATES                     SOURCES
base/debian  dd   base     100 MB  2d2h ago  exempt                      not used
shop         aa   service  100 MB  60m ago   12h old, within the policy  current
shop         bb   service  100 MB  40h ago   2d12h old, too old          not used
3 images of hybrid.local, 300 MB with shared layers counted each time; the current sources use 1
policy: an image is loaded when its security updates are not older than 24h
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := List(nil, nil, noon); got == nil || len(got) != 0 {
		t.Errorf("of no image: %v", got)
	}
}
