package verify

// maxLines bounds a Go file. Packages aim at 300; the rest is room for one more
// function before the file is split.
const maxLines = 400

// checkFileLength bounds Go files that people write.
func checkFileLength(p *pass) {
	for _, f := range p.src.goFiles {
		if !f.generated && f.lines > maxLines {
			p.addf(f.path, 0, "has %d lines, more than %d", f.lines, maxLines)
		}
	}
}
