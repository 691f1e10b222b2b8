package load

import (
	"archive/tar"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxJSON bounds a configuration or list in an archive, in bytes.
const maxJSON = 4 << 20

// imageName is the annotation by which containerd names an imported image.
const imageName = "io.containerd.image.name"

// chunk is how much of an archive is moved at once, in bytes: the engine's clients and
// nodes take it in the same portions.
const chunk = 256 << 10

// converter turns the archive that an engine saves (docker's form, or podman's) into
// one of OCI's form without the layers that every node has. It keeps nothing but the
// configurations in memory: a layer is passed on as it comes.
type converter struct {
	out *tar.Writer
	// known maps the path of a layer that the nodes have to its digest.
	known map[string]digest.Digest
	// layers, texts and links are what the archive held, by path.
	layers map[string]ocispec.Descriptor
	texts  map[string][]byte
	links  map[string]string
	// buffer holds the beginning of an entry.
	buffer *bufio.Reader
	// left counts the bytes of the layers that were left out.
	left int64
}

// convert reads an archive from in and writes the images refs to out. It returns how
// many bytes of layers it left out.
func convert(in io.Reader, out io.Writer, refs []string, known map[string]digest.Digest) (left int64, err error) {
	c := converter{
		out: tar.NewWriter(out), known: known,
		layers: map[string]ocispec.Descriptor{}, texts: map[string][]byte{}, links: map[string]string{},
		buffer: bufio.NewReaderSize(nil, chunk),
	}
	archive := tar.NewReader(bufio.NewReaderSize(in, chunk))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c.left, fmt.Errorf("read the archive of the engine: %w", err)
		}
		if err := c.entry(header, archive); err != nil {
			return c.left, fmt.Errorf("%s in the archive of the engine: %w", header.Name, err)
		}
	}
	if err := c.finish(refs); err != nil {
		return c.left, err
	}
	return c.left, c.out.Close()
}

// entry takes one entry of the archive.
func (c *converter) entry(h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if h.Typeflag == tar.TypeSymlink {
		// Docker writes a layer that two images share once. The path is a key of a map
		// here; nothing is written where it points to.
		c.links[name] = path.Join(path.Dir(name), h.Linkname) //nolint:gosec // See above.
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	c.buffer.Reset(content)
	begin, err := c.buffer.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(begin) > 0 && (begin[0] == '{' || begin[0] == '[') && h.Size <= maxJSON {
		c.texts[name], err = io.ReadAll(c.buffer)
		return err
	}
	if known, ok := c.known[name]; ok {
		c.layers[name] = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: known, Size: h.Size}
		c.left += h.Size
		_, err := io.Copy(io.Discard, c.buffer)
		return err
	}
	return c.pass(name, h.Size, begin)
}

// pass passes a layer on that the nodes lack.
func (c *converter) pass(name string, size int64, begin []byte) error {
	layer := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Size: size}
	if len(begin) == 2 && begin[0] == 0x1f && begin[1] == 0x8b {
		layer.MediaType = ocispec.MediaTypeImageLayerGzip
	}
	digester := digest.Canonical.Digester()
	if err := c.header(name, size); err != nil {
		return err
	}
	if _, err := io.Copy(io.MultiWriter(c.out, digester.Hash()), c.buffer); err != nil {
		return err
	}
	layer.Digest = digester.Digest()
	c.layers[name] = layer
	return nil
}

func (c *converter) header(name string, size int64) error {
	return c.out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size})
}

// finish writes what makes images of the layers.
func (c *converter) finish(refs []string) error {
	var list []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	text, ok := c.texts["manifest.json"]
	if !ok {
		return errors.New("the archive of the engine has no manifest.json")
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("manifest.json in the archive of the engine: %w", err)
	}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	var named []string
	for _, image := range list {
		described, err := c.image(image.Config, image.Layers)
		if err != nil {
			return fmt.Errorf("image %v in the archive of the engine: %w", image.RepoTags, err)
		}
		for _, tag := range image.RepoTags {
			if slices.Contains(refs, tag) {
				described.Annotations = map[string]string{imageName: tag}
				index.Manifests = append(index.Manifests, described)
				named = append(named, tag)
			}
		}
	}
	for _, ref := range refs {
		if !slices.Contains(named, ref) {
			return fmt.Errorf("the archive of the engine lacks %s, it has %v", ref, named)
		}
	}
	if err := c.text(ocispec.ImageIndexFile, index); err != nil {
		return err
	}
	return c.text(ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
}

// image writes configuration and manifest of an image.
func (c *converter) image(config string, layers []string) (ocispec.Descriptor, error) {
	text, ok := c.texts[c.resolve(config)]
	if !ok {
		return ocispec.Descriptor{}, fmt.Errorf("its configuration %s is missing", config)
	}
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(text), Size: int64(len(text))},
	}
	for _, name := range layers {
		layer, ok := c.layers[c.resolve(name)]
		if !ok {
			return ocispec.Descriptor{}, fmt.Errorf("its layer %s is missing", name)
		}
		manifest.Layers = append(manifest.Layers, layer)
	}
	if err := c.blob(manifest.Config.Digest, text); err != nil {
		return ocispec.Descriptor{}, err
	}
	encoded, err := json.Marshal(manifest)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	described := ocispec.Descriptor{
		MediaType: manifest.MediaType, Digest: digest.FromBytes(encoded), Size: int64(len(encoded)),
	}
	return described, c.blob(described.Digest, encoded)
}

// resolve follows links.
func (c *converter) resolve(name string) string {
	name = path.Clean(name)
	if target, ok := c.links[name]; ok {
		return target
	}
	return name
}

func (c *converter) blob(d digest.Digest, content []byte) error {
	return c.write(path.Join(ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded()), content)
}

func (c *converter) text(name string, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return c.write(name, encoded)
}

func (c *converter) write(name string, content []byte) error {
	if err := c.header(name, int64(len(content))); err != nil {
		return err
	}
	_, err := c.out.Write(content)
	return err
}
