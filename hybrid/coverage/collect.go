package coverage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// The files and the folder that Collect makes besides one folder and one
// profile per service.
const (
	ProfileName = "coverage.txt"
	HTMLName    = "coverage.html"
	mergedName  = "merged"
)

// Options says what to collect. All but Parts, Floors and Log are mandatory,
// and Raw is without Parts.
type Options struct {
	// Raw is the folder below which each service has the folder it wrote to.
	Raw string
	// Parts are folders that earlier calls were given as Out: the data of each service is
	// taken from all of them instead of from Raw.
	Parts []string
	// Out is where everything collected and made goes.
	Out string
	// Module is the module's path, such as "example.com/shop"; ModuleRoot the
	// folder with its go.mod, from which the go tool is run.
	Module, ModuleRoot string
	// Sources must all have delivered.
	Sources []Source
	// Floors maps paths below the module to the percentage that the package
	// there and all below it must reach together.
	Floors map[string]float64
	// Log receives the output of the tools; nil discards.
	Log io.Writer
}

// Collect brings the coverage data of stopped services home and makes the
// reports of it. When floors are not met, the error says which, and result and
// files are complete all the same.
func Collect(ctx context.Context, runner command.Runner, o Options) (Result, error) {
	c, err := newCollector(runner, o)
	if err != nil {
		return Result{}, err
	}
	folders, err := c.fetch()
	if err != nil {
		return Result{}, err
	}
	var r Result
	for i, s := range o.Sources {
		p, err := c.profile(ctx, folders[i], s.Service+".txt")
		if err != nil {
			return Result{}, fmt.Errorf("coverage of %s: %w", s.Service, err)
		}
		r.Services = append(r.Services, Service{Name: s.Service, Count: total(p.packages(o.Module))})
	}
	merged := filepath.Join(c.Out, mergedName)
	if err := emptyFolder(merged); err != nil {
		return Result{}, fmt.Errorf("merge coverage data: %w", err)
	}
	if err := c.run(ctx, "covdata", "merge", "-i="+strings.Join(folders, ","), "-o="+merged); err != nil {
		return Result{}, fmt.Errorf("merge coverage data: %w", err)
	}
	p, err := c.profile(ctx, merged, ProfileName)
	if err != nil {
		return Result{}, fmt.Errorf("coverage of all services: %w", err)
	}
	text, html := filepath.Join(c.Out, ProfileName), filepath.Join(c.Out, HTMLName)
	if err := c.run(ctx, "cover", "-html="+text, "-o="+html); err != nil {
		return Result{}, fmt.Errorf("make the HTML of the coverage: %w", err)
	}
	r.Packages = p.packages(o.Module)
	r.Total = total(r.Packages)
	r.Floors = judge(r.Packages, o.Floors)
	return r, fault.With(r.violated(), "go tool cover -func="+text)
}

// collector is one call of Collect.
type collector struct {
	Options
	runner command.Runner
}

func newCollector(runner command.Runner, o Options) (*collector, error) {
	if len(o.Sources) == 0 {
		return nil, errors.New("collect coverage: no service is instrumented")
	}
	for _, s := range o.Sources {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("collect coverage: %w", err)
		}
		if s.Service == mergedName {
			return nil, fmt.Errorf("collect coverage: a service cannot be called %q", s.Service)
		}
	}
	// The tools run in ModuleRoot, where relative paths would mean others.
	o.Parts = slices.Clone(o.Parts)
	paths := []*string{&o.Raw, &o.Out, &o.ModuleRoot}
	for i := range o.Parts {
		paths = append(paths, &o.Parts[i])
	}
	for _, p := range paths {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return nil, fmt.Errorf("collect coverage: %w", err)
		}
		*p = abs
	}
	return &collector{Options: o, runner: runner}, nil
}

// fetch copies the data of every service and gives the folders with the copies.
// All services that did not deliver are reported together.
func (c *collector) fetch() ([]string, error) {
	var (
		folders []string
		errs    []error
	)
	for _, s := range c.Sources {
		data := map[string][]string{}
		var err error
		for _, from := range c.from(s) {
			names, missing := delivered(s.Service, from)
			data[from] = names
			err = errors.Join(err, missing)
		}
		if err == nil {
			err = c.copy(s, data)
		}
		errs = append(errs, err)
		folders = append(folders, filepath.Join(c.Out, s.Service))
	}
	return folders, errors.Join(errs...)
}

// from are the folders that have data of a service.
func (c *collector) from(s Source) []string {
	if len(c.Parts) == 0 {
		return []string{filepath.Join(c.Raw, s.Folder())}
	}
	folders := make([]string, len(c.Parts))
	for i, part := range c.Parts {
		folders[i] = filepath.Join(part, s.Service)
	}
	return folders
}

// copy replaces the copies of a service's data, whose files are named by folder. Counters of
// one name would be written over; what there is to cover is the same in all parts.
func (c *collector) copy(s Source, data map[string][]string) error {
	to := filepath.Join(c.Out, s.Service)
	if err := emptyFolder(to); err != nil {
		return fmt.Errorf("coverage of %s: %w", s.Service, err)
	}
	counters := map[string]string{}
	for from, names := range data {
		for _, name := range names {
			if other, twice := counters[name]; twice {
				return fmt.Errorf("coverage of %s: %s is in %s and in %s", s.Service, name, other, from)
			}
			if strings.HasPrefix(name, countersPrefix) {
				counters[name] = from
			}
		}
		if err := copyFiles(from, to, names); err != nil {
			// The service's user may keep what it writes to itself.
			return fault.With(fmt.Errorf("coverage of %s: copy its data: %w", s.Service, err), "sudo chmod -R a+rX "+from)
		}
	}
	return nil
}

// profile makes the text profile of a folder with data, reduced to what counts,
// as the named file in Out.
func (c *collector) profile(ctx context.Context, folder, name string) (profile, error) {
	path := filepath.Join(c.Out, name)
	// The tool writes everything that was instrumented; what does not count is
	// taken out of the same file.
	if err := c.run(ctx, "covdata", "textfmt", "-i="+folder, "-o="+path); err != nil {
		return nil, err
	}
	all, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := parseProfile(bytes.NewReader(all), c.Module)
	if err != nil {
		return nil, err
	}
	if len(p) == 0 {
		return nil, fault.With(fmt.Errorf("the data has no package of %s", c.Module),
			"build with -coverpkg="+c.Module+"/...")
	}
	var kept bytes.Buffer
	if err := p.write(&kept); err != nil {
		return nil, err
	}
	return p, os.WriteFile(path, kept.Bytes(), 0o644)
}

// run runs one of Go's tools in the module.
func (c *collector) run(ctx context.Context, tool ...string) error {
	_, err := c.runner.Run(ctx, command.Command{Args: append([]string{"go", "tool"}, tool...), Dir: c.ModuleRoot, Log: c.Log})
	return err
}
