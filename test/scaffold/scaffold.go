package scaffold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Options say what to write. All but Controller are needed.
type Options struct {
	// Root is the repository.
	Root string
	// Name is that of the suite, its service, image and packages. See checkName for
	// what it may be.
	Name string
	// Controller makes it a controller of RemediationRequests instead of a service
	// with an API.
	Controller bool
	// Namespace is where the service is going to run.
	Namespace string
	// Port and MetricsPort are its NodePorts, which nobody else has.
	Port, MetricsPort int32
	// Suites are those that there are. Their names, and those of their parts, are taken.
	Suites []hybrid.Suite
}

// Plan is a suite that can be written: what had to be refused has been.
type Plan struct {
	root    string
	changes []change
}

// change is what a file is going to be.
type change struct {
	// name is relative to the repository, with slashes.
	name string
	// before is what it was; nil for a file that is new.
	before, after []byte
}

// New plans a suite. It writes nothing. What it refuses: a name that is no good or
// taken, a place where something is already, and sources that cannot be extended.
func New(o Options) (*Plan, error) {
	if err := checkName(o.Name); err != nil {
		return nil, fault.With(fmt.Errorf("the name %q %w", o.Name, err), "mage new:suite <another name>")
	}
	if err := o.untaken(); err != nil {
		return nil, fault.With(err, "mage new:suite <another name>")
	}
	if err := o.unused(); err != nil {
		return nil, fault.With(err, "mage new:suite "+o.Name)
	}
	files, err := o.files()
	if err != nil {
		return nil, err
	}
	if err := o.free(files); err != nil {
		return nil, fault.With(err, "mage new:suite <another name>, or remove what is there")
	}
	registered, err := o.register()
	if err != nil {
		return nil, fault.With(err, "extend it by hand: see docs/how-to/add-a-suite.md")
	}
	return &Plan{root: o.Root, changes: append(files, registered...)}, nil
}

// unused wants the table of ports to be as the caller knows it: a suite that was written
// by the same process is not in what it was compiled from.
func (o Options) unused() error {
	table, err := os.ReadFile(filepath.Join(o.Root, portsFile))
	if err != nil {
		return err
	}
	for _, port := range []int32{o.Port, o.MetricsPort} {
		if bytes.Contains(table, fmt.Append(nil, port)) {
			return fmt.Errorf("%s has the port %d meanwhile", portsFile, port)
		}
	}
	return nil
}

// free wants nothing to be where the files go, nor where the folders are that are the
// suite's own.
func (o Options) free(files []change) error {
	var there []string
	for _, f := range files {
		place := f.name
		if dir := path.Dir(f.name); path.Base(dir) == o.Name {
			place = dir
		}
		_, err := os.Lstat(filepath.Join(o.Root, filepath.FromSlash(place)))
		switch {
		case err == nil && !slices.Contains(there, place):
			there = append(there, place)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("the suite %s cannot be written, there is already: %s", o.Name, strings.Join(there, ", "))
	}
	return nil
}

// Created lists the files that are new, Changed those that were there, relative to the
// repository.
func (p *Plan) Created() []string { return p.names(true) }

// Changed is described at Created.
func (p *Plan) Changed() []string { return p.names(false) }

func (p *Plan) names(created bool) []string {
	var names []string
	for _, c := range p.changes {
		if (c.before == nil) == created {
			names = append(names, c.name)
		}
	}
	return names
}

// Write writes all files, or none: after an error, or when ctx ends, what was written so
// far is taken back.
func (p *Plan) Write(ctx context.Context) (err error) {
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		for _, step := range slices.Backward(undo) {
			err = errors.Join(err, step())
		}
	}()
	for _, c := range p.changes {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := filepath.Join(p.root, filepath.FromSlash(c.name))
		if c.before == nil {
			first := firstMissing(name)
			undo = append(undo, func() error { return os.RemoveAll(first) })
			err = os.MkdirAll(filepath.Dir(name), 0o755)
		} else {
			undo = append(undo, func() error { return os.WriteFile(name, c.before, 0o644) })
		}
		if err == nil {
			err = os.WriteFile(name, c.after, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write the suite, nothing of which is left: %w", err)
		}
	}
	return nil
}

// firstMissing is the uppermost folder on the way to name that does not exist, or name.
func firstMissing(name string) string {
	for {
		parent := filepath.Dir(name)
		if _, err := os.Lstat(parent); err == nil || parent == name {
			return name
		}
		name = parent
	}
}
