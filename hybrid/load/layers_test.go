package load

import (
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// The layers of an image and the folders in which docker 20.10 saved them.
var (
	savedLayers = []string{
		"sha256:a80ef1181ebb017d8f678ef1853fe1fb75abb64b72778cda45887536bf84c2b4",
		"sha256:f5d480ed3795e03fe09f0d4c0ee030817c5e3f8a60b15f0fdf364d737987c5b7",
		"sha256:31265997de45e9df858707790a4085191a8c441220c9d4f6cb7bc76951024106",
	}
	savedFolders = []string{
		"9e9a74111dc12875f9b99f9ec1efc993418e73902991d3e6bde4f93995bfa219/layer.tar",
		"bd07aeceeed77141e2d60ae0353260e8591b9eee2141b5f3e63e1fae562735f9/layer.tar",
	}
)

func TestPathsAreThoseOfTheEngines(t *testing.T) {
	var image engine.Image
	image.RootFS.Layers = savedLayers
	got, err := paths(image, func(digest.Digest) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 6 {
		t.Errorf("%d paths, want three for each layer but the last: %v", len(got), got)
	}
	for i, folder := range savedFolders {
		d := digest.Digest(savedLayers[i])
		for _, path := range []string{folder, "blobs/sha256/" + d.Encoded(), d.Encoded() + ".tar"} {
			if got[path] != d {
				t.Errorf("%s leads to %q, want layer %d", path, got[path], i)
			}
		}
	}
}

func TestOnlyWhatNodesHaveIsKnown(t *testing.T) {
	var image engine.Image
	image.RootFS.Layers = savedLayers
	first := chains(image)[0]
	got, err := paths(image, func(chain digest.Digest) bool { return chain == first })
	if err != nil || len(got) != 3 || got[savedFolders[0]] != digest.Digest(savedLayers[0]) {
		t.Errorf("paths %v, error %v", got, err)
	}
	image.RootFS.Layers = []string{"md5:1", "sha256:2"}
	if _, err := paths(image, func(digest.Digest) bool { return true }); err == nil {
		t.Error("a layer without a digest passed")
	}
	if got, err := paths(engine.Image{}, nil); err != nil || len(got) != 0 {
		t.Errorf("an image without layers: %v, %v", got, err)
	}
}

func TestCommittedReadsWhatCtrLists(t *testing.T) {
	list := "KEY                  PARENT               KIND      \n" +
		"sha256:aa                                 Committed\n" +
		"sha256:bb            sha256:aa            Committed\n" +
		"0123                 sha256:bb            Active\n"
	got := committed([]byte(list))
	keys := make([]string, 0, len(got))
	for key := range got {
		keys = append(keys, key.String())
	}
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"sha256:aa", "sha256:bb"}) {
		t.Errorf("committed %v", keys)
	}
}
