package delivery

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ErrCut says that a log ended before the delivery in it did.
var ErrCut = errors.New("the delivery is not complete")

// Limits of one delivery. Coverage data of a service is a few hundred kilobytes; a log is
// kept whole up to 10 MiB by kubelet's defaults, beyond which the end is what is lost.
const (
	maxBytes = 64 << 20
	// lineBytes is how much of a file goes into one line: 4 KiB of text, so that no
	// container runtime splits it.
	lineBytes = 3 << 10
	maxLine   = 8 << 10
)

// The lines of a delivery begin with one of these; all other lines are those of the
// program that the container runs.
const (
	mark     = "delivery "
	fileMark = mark + "file "
	dataMark = mark + "data "
	endMark  = mark + "end "
)

// fileName is what a file may be called: nothing that leads out of a folder.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9._]{0,200}$`)

// Send writes the files in dir, not those in folders below it, as lines of text.
func Send(w io.Writer, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("send the files of %s: %w", dir, err)
	}
	out := bufio.NewWriter(w)
	sum := sha256.New()
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if !fileName.MatchString(e.Name()) {
			return fmt.Errorf("send the files of %s: %q cannot be sent under its name", dir, e.Name())
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("send the files of %s: %w", dir, err)
		}
		add(sum, e.Name(), content)
		_, _ = fmt.Fprintf(out, "%s%s\n", fileMark, e.Name()) // Flush gives the error.
		for part := range slices.Chunk(content, lineBytes) {
			_, _ = fmt.Fprintf(out, "%s%s\n", dataMark, base64.StdEncoding.EncodeToString(part))
		}
	}
	_, _ = fmt.Fprintf(out, "%s%s\n", endMark, hex.EncodeToString(sum.Sum(nil)))
	return out.Flush()
}

// add counts a file into the sum of a delivery.
func add(sum hash.Hash, name string, content []byte) {
	_, _ = fmt.Fprintf(sum, "%s %d\n", name, len(content))
	sum.Write(content)
}

// Receive reads a log until the first delivery in it is complete and writes its files to
// dir, which has to be there, over those of the same name. It gives their names, sorted. A log
// that ends before that is ErrCut, and nothing is written. All else that is in the log before
// that goes to rest.
func Receive(r io.Reader, dir string, rest io.Writer) ([]string, error) {
	files, err := read(r, rest)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return nil, fmt.Errorf("write what was delivered: %w", err)
		}
	}
	return names, nil
}

// read gives the files of the first delivery by their names.
func read(r io.Reader, rest io.Writer) (map[string][]byte, error) {
	in := bufio.NewReaderSize(r, maxLine)
	p := parcel{files: map[string][]byte{}, sum: sha256.New()}
	for begins := true; ; {
		line, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if err == nil && begins && bytes.HasPrefix(line, []byte(mark)) {
			if done, err := p.add(strings.TrimSuffix(string(line), "\n")); done || err != nil {
				return p.files, err
			}
		} else if _, err := rest.Write(line); err != nil {
			return nil, err
		}
		begins = !long
		if err != nil && !long {
			if !errors.Is(err, io.EOF) {
				return nil, errors.Join(ErrCut, err)
			}
			return nil, ErrCut
		}
	}
}

// parcel is what has arrived of a delivery.
type parcel struct {
	files   map[string][]byte
	sum     hash.Hash
	name    string
	content []byte
	total   int
}

// add takes a line of the delivery and tells whether it was the last.
func (p *parcel) add(line string) (bool, error) {
	if name, ok := strings.CutPrefix(line, fileMark); ok {
		p.close()
		p.name = name
		if _, twice := p.files[name]; twice || !fileName.MatchString(name) {
			return false, fmt.Errorf("a delivery has no file %q", name)
		}
		p.files[name] = nil
		return false, nil
	}
	if sum, ok := strings.CutPrefix(line, endMark); ok {
		p.close()
		if got := hex.EncodeToString(p.sum.Sum(nil)); got != sum {
			return false, fmt.Errorf("%w: it has the sum %s, sent was %s", ErrCut, got, sum)
		}
		return true, nil
	}
	data, ok := strings.CutPrefix(line, dataMark)
	part, err := base64.StdEncoding.DecodeString(data)
	if p.total += len(part); !ok || err != nil || p.name == "" || p.total > maxBytes {
		return false, fmt.Errorf("%w: %d bytes so far, for the file %q", errors.Join(errNoData, err), p.total, p.name)
	}
	p.content = append(p.content, part...)
	return false, nil
}

// close ends the file that has been arriving.
func (p *parcel) close() {
	if p.name != "" {
		p.files[p.name] = p.content
		add(p.sum, p.name, p.content)
	}
	p.name, p.content = "", nil
}

var errNoData = errors.New("it is not what a courier sends")
