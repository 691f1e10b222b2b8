package load

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// file is an entry of an archive: a link when to is set.
type file struct{ name, content, to string }

func archive(t *testing.T, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: int64(len(f.content))}
		switch {
		case f.to != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.to
		case strings.HasSuffix(f.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read returns the entries of an archive in their order, and their content.
func read(t *testing.T, b []byte) (order []string, content map[string]string) {
	t.Helper()
	content = map[string]string{}
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return order, content
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, h.Name)
		content[h.Name] = string(text)
	}
}

func blobPath(d digest.Digest) string { return path.Join("blobs", "sha256", d.Encoded()) }

func layer(content string) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromString(content), Size: int64(len(content))}
}

// Two images share their lowest layer; the second has it as a link.
func sharing(a, b, base string) []file {
	return []file{
		{name: base, content: "base"},
		{name: "bb/"},
		{name: "bb/json", content: "{}"},
		{name: "bb/layer.tar", to: "../" + base},
		{name: a, content: "top of a"},
		{name: b, content: "\x1f\x8btop of b"},
		{name: "a.json", content: `{"a":1}`},
		{name: "b.json", content: `{"b":1}`},
		{name: "repositories", content: "{}"},
		{name: "manifest.json", content: `[{"Config":"a.json","RepoTags":["r/a:1","r/other:1"],"Layers":["` + base + `","` + a + `"]},
			{"Config":"b.json","RepoTags":["r/b:1"],"Layers":["bb/layer.tar","` + b + `"]}]`},
	}
}

func TestConvertLeavesKnownLayersOut(t *testing.T) {
	in := archive(t, sharing("x/layer.tar", "y/layer.tar", "base/layer.tar")...)
	var out bytes.Buffer
	left, err := convert(bytes.NewReader(in), &out, []string{"r/a:1", "r/b:1"},
		map[string]digest.Digest{"base/layer.tar": digest.FromString("base")})
	if err != nil || left != int64(len("base")) {
		t.Fatalf("left out %d, error %v", left, err)
	}
	order, content := read(t, out.Bytes())

	zipped := layer("\x1f\x8btop of b")
	zipped.MediaType = ocispec.MediaTypeImageLayerGzip
	var index ocispec.Index
	if err := json.Unmarshal([]byte(content["index.json"]), &index); err != nil {
		t.Fatal(err)
	}
	want := []string{"x/layer.tar", "y/layer.tar"}
	for i, image := range []struct {
		ref, config string
		layers      []ocispec.Descriptor
	}{
		{"r/a:1", `{"a":1}`, []ocispec.Descriptor{layer("base"), layer("top of a")}},
		{"r/b:1", `{"b":1}`, []ocispec.Descriptor{layer("base"), zipped}},
	} {
		config := digest.FromString(image.config)
		if got := content[blobPath(config)]; got != image.config {
			t.Errorf("configuration of %s: %q", image.ref, got)
		}
		described := index.Manifests[i]
		if !reflect.DeepEqual(described.Annotations, map[string]string{"io.containerd.image.name": image.ref}) {
			t.Errorf("%s has the annotations %v", image.ref, described.Annotations)
		}
		text := content[blobPath(described.Digest)]
		if digest.FromString(text) != described.Digest || int64(len(text)) != described.Size {
			t.Errorf("manifest of %s is not the one that the index names", image.ref)
		}
		var manifest ocispec.Manifest
		if err := json.Unmarshal([]byte(text), &manifest); err != nil {
			t.Fatal(err)
		}
		if manifest.Config.Digest != config || !reflect.DeepEqual(manifest.Layers, image.layers) {
			t.Errorf("manifest of %s: %+v", image.ref, manifest)
		}
		want = append(want, blobPath(config), blobPath(described.Digest))
	}
	want = append(want, "index.json", "oci-layout")
	if !reflect.DeepEqual(order, want) {
		t.Errorf("entries\n%v\nwant\n%v", order, want)
	}
	if len(index.Manifests) != 2 || content["oci-layout"] != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("index %+v, layout %s", index, content["oci-layout"])
	}
}

func TestConvertSendsWhatIsNotKnown(t *testing.T) {
	in := archive(t, sharing("blobs/sha256/x", "blobs/sha256/y", "blobs/sha256/base")...)
	var out bytes.Buffer
	left, err := convert(bytes.NewReader(in), &out, []string{"r/a:1"}, nil)
	if err != nil || left != 0 {
		t.Fatalf("left out %d, error %v", left, err)
	}
	order, content := read(t, out.Bytes())
	if got := order[:3]; !reflect.DeepEqual(got, []string{"blobs/sha256/base", "blobs/sha256/x", "blobs/sha256/y"}) || content["blobs/sha256/base"] != "base" {
		t.Errorf("entries %v, base %q", got, content["blobs/sha256/base"])
	}
}

func TestConvertRefusesWhatIsNoImage(t *testing.T) {
	list := func(text string) []byte { return archive(t, file{name: "manifest.json", content: text}) }
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"no archive", []byte("cannot connect"), "read the archive of the engine: unexpected EOF"},
		{"empty", archive(t), "the archive of the engine has no manifest.json"},
		{"another form", list(`{}`), "manifest.json in the archive of the engine: json: cannot unmarshal object"},
		{"no image", list(`[]`), "the archive of the engine lacks r/a:1, it has []"},
		{"no configuration", list(`[{"Config":"a.json","RepoTags":["r/a:1"]}]`), "image [r/a:1] in the archive of the engine: its configuration a.json is missing"},
		{
			"no layer", archive(t, file{name: "a.json", content: "{}"}, file{name: "manifest.json", content: `[{"Config":"a.json","Layers":["x"]}]`}),
			"image [] in the archive of the engine: its layer x is missing",
		},
	} {
		_, err := convert(bytes.NewReader(c.in), io.Discard, []string{"r/a:1"}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func FuzzConvert(f *testing.F) {
	f.Add([]byte("not a tar"))
	f.Fuzz(func(t *testing.T, manifest []byte) {
		in := archive(t, file{name: "l/layer.tar", content: "layer"}, file{name: "c.json", content: "{}"}, file{name: "manifest.json", content: string(manifest)})
		_, _ = convert(bytes.NewReader(in), io.Discard, []string{"r/a:1"}, nil)
		_, _ = convert(bytes.NewReader(manifest), io.Discard, nil, nil)
	})
}
