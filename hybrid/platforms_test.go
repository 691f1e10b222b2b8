package hybrid

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

// other is a platform that this machine does not have.
func other() string {
	if image.Native() == "linux/arm64" {
		return "linux/amd64"
	}
	return "linux/arm64"
}

func TestParsePlatforms(t *testing.T) {
	both := image.Native() + "," + other()
	o, err := OptionsFrom("/r", func(name string) string { return map[string]string{"PLATFORMS": both}[name] }, io.Discard)
	if err != nil || !slices.Equal(o.Platforms, []string{image.Native(), other()}) || !slices.Equal(o.foreign(), []string{other()}) {
		t.Errorf("platforms %v, foreign %v, %v", o.Platforms, o.foreign(), err)
	}
	for value, want := range map[string]string{
		"linux/s390x":                       `"linux/s390x" is none of linux/amd64, linux/arm64`,
		"amd64":                             `"amd64" is none of`,
		image.Native() + ",":                `"" is none of`,
		image.Native() + "," + both:         "names " + image.Native() + " twice",
		other():                             "this machine's, " + image.Native() + ", is always made and has to be among them",
		image.Native() + ", " + other():     `" ` + other() + `" is none of`,
		strings.ToUpper(image.Native()):     "is none of",
		image.Native() + ";" + other() + "": "is none of",
	} {
		if _, err := parsePlatforms(value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", value, err, want)
		}
	}
}

func TestImagesThatCannotBeMadeForAPlatformAreRefusedFirst(t *testing.T) {
	root, suite := repository(t)
	var out bytes.Buffer
	o := options(root, &out, anEngine())
	o.Platforms = []string{image.Native(), other()}
	if _, err := Open(t.Context(), suite, o); err == nil || !strings.Contains(err.Error(), "image a: docker/a.Dockerfile: its last stage installs no security updates") || fault.Next(err) == "" {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
	suite.Images[0].Native = true
	p := newPipeline(suite, o.withDefaults())
	if err := p.checkPlatforms(); err != nil {
		t.Error(err)
	}
	p.o.BuildKit = "tcp://builder:1234"
	if err := p.checkPlatforms(); err == nil || fault.Next(err) != "unset BUILDKIT_HOST, or PLATFORMS" {
		t.Errorf("error %v", err)
	}
}

func TestNodesGetTheImagesOfTheirPlatform(t *testing.T) {
	root, suite := repository(t)
	p := newPipeline(suite, options(root, &bytes.Buffer{}, anEngine()).withDefaults())
	p.plans = []image.Plan{{Spec: image.Spec{Name: "a"}}, {Spec: image.Spec{Name: "b"}}}
	architecture := strings.TrimPrefix(other(), "linux/")
	if plans, err := p.forNodes(strings.TrimPrefix(image.Native(), "linux/")); err != nil || len(plans) != 2 {
		t.Errorf("%v, %v", plans, err)
	}
	if _, err := p.forNodes(architecture); err == nil || fault.Next(err) != "PLATFORMS="+image.Native()+","+other()+" makes both" {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
	p.foreignPlans[other()] = p.plans[:1]
	if _, err := p.forNodes(architecture); err == nil || err.Error() != "the nodes are of "+other()+", and b can be made for "+image.Native()+" alone" {
		t.Errorf("error %v", err)
	}
	p.foreignPlans[other()] = []image.Plan{{Spec: image.Spec{Name: "a"}, Key: "x"}, {Spec: image.Spec{Name: "b"}}}
	if plans, err := p.forNodes(architecture); err != nil || plans[0].Key != "x" {
		t.Errorf("%v, %v", plans, err)
	}
}

func TestAReplacedBaseIsReplacedOnEveryPlatform(t *testing.T) {
	p := Pipeline{images: &offline.Images{Foreign: map[string]string{"linux/arm64": "ubi-arm64"}}}
	if got := p.foreignBase("linux/arm64"); got != "ubi-arm64" {
		t.Errorf("base %q, want ubi-arm64", got)
	}
	p.o.BaseImages = map[string]string{offline.UBIMinimalArg: "mirror/ubi"}
	if got := p.foreignBase("linux/arm64"); got != "mirror/ubi" {
		t.Errorf("replaced base %q, want mirror/ubi", got)
	}
}
