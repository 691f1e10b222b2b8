package hybrid

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Join makes one suite of several: one cluster with all they need, in which the specs of
// one run after those of the other. What has the same name in several suites must be the
// same in all of them, and is there once; the error says what is not. A package in the
// floors of several must reach the highest.
func Join(name string, suites ...Suite) (Suite, error) {
	var joined Suite
	var errs []error
	for i, s := range suites {
		if i == 0 {
			joined.Namespace, joined.Specs, joined.Floors = s.Namespace, s.Specs, map[string]float64{}
		} else {
			joined.MoreSpecs = append(joined.MoreSpecs, s.Specs)
		}
		if s.Alone && len(suites) > 1 {
			errs = append(errs, fmt.Errorf("suite %s has its cluster alone: what it deploys would disturb others", s.Name))
		}
		if s.Namespace != joined.Namespace {
			errs = append(errs, fmt.Errorf("suites %s and %s have namespaces of their own: %s and %s", suites[0].Name, s.Name, joined.Namespace, s.Namespace))
		}
		joined.MoreSpecs = append(joined.MoreSpecs, s.MoreSpecs...)
		joined.Setup = union(joined.Setup, s.Setup, func(path string) string { return path }, nil)
		collect := func(kind, name string) {
			errs = append(errs, fmt.Errorf("suite %s has another %s %s than the suites before it", s.Name, kind, name))
		}
		joined.Images = union(joined.Images, s.Images, func(i Image) string { return i.Name }, func(n string) { collect("image", n) })
		joined.Secrets = union(joined.Secrets, s.Secrets, func(s Secret) string { return s.Name }, func(n string) { collect("secret", n) })
		joined.Workloads = union(joined.Workloads, s.Workloads, func(w Workload) string { return w.Name }, func(n string) { collect("workload", n) })
		joined.Endpoints = union(joined.Endpoints, s.Endpoints, func(e Endpoint) string { return e.Name }, func(n string) { collect("endpoint", n) })
		joined.Spare = union(joined.Spare, s.Spare, func(e Endpoint) string { return e.Name }, func(n string) { collect("spare endpoint", n) })
		joined.ExtraProcs = max(joined.ExtraProcs, s.ExtraProcs)
		for path, floor := range s.Floors {
			joined.Floors[path] = max(joined.Floors[path], floor)
		}
	}
	joined.Name = name
	return joined, errors.Join(errs...)
}

// union appends to all those of more whose names it does not have, and reports the names
// that both have with different values.
func union[T any](all, more []T, name func(T) string, differs func(name string)) []T {
	for _, one := range more {
		at := slices.IndexFunc(all, func(other T) bool { return name(other) == name(one) })
		switch {
		case at < 0:
			all = append(all, one)
		case !reflect.DeepEqual(all[at], one):
			differs(name(one))
		}
	}
	return all
}

// Shared groups suites so that few clusters are needed: those that can be joined are, in
// their order. A suite that fits to no other stays as it is; the others are called name,
// and name-2 and so on when there are several groups.
func Shared(name string, suites ...Suite) []Suite {
	var groups [][]Suite
	for _, s := range suites {
		at := slices.IndexFunc(groups, func(g []Suite) bool {
			_, err := Join(name, append(slices.Clip(g), s)...)
			return err == nil
		})
		if at < 0 {
			groups = append(groups, []Suite{s})
			continue
		}
		groups[at] = append(groups[at], s)
	}
	var shared []Suite
	number := 0
	for _, g := range groups {
		if len(g) == 1 {
			shared = append(shared, g[0])
			continue
		}
		number++
		groupName := name
		if number > 1 {
			groupName = fmt.Sprintf("%s-%d", name, number)
		}
		joined, _ := Join(groupName, g...) // It was possible above.
		shared = append(shared, joined)
	}
	return shared
}
