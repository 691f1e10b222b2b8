package shard

import (
	"cmp"
	"regexp"
	"slices"
	"time"
)

// Spec is a spec as far as its division is concerned.
type Spec struct {
	// Text is the description of its suite, then its full text with that of all containers
	// around it. Two specs may have the same.
	Text string
	// Group is shared by specs that must run in the same shard, such as those of an
	// ordered container; empty for a spec that stands alone.
	Group string
	// Serial says that nothing runs beside it: it takes the time of all processes.
	Serial bool
}

// Unit is what runs in one shard: a spec that stands alone, or several that must not be
// parted.
type Unit struct {
	// Texts are sorted and each stands once: specs of the same text cannot be told apart,
	// so they stay together.
	Texts []string
	// Specs is how many specs there are.
	Specs int
	// Weight is the time that processes are taken up by them.
	Weight time.Duration
}

// Units puts together what must not be parted, and weighs it. The order is that of the
// split, which is the same for the same specs and times: the heaviest first, then by text.
func Units(specs []Spec, times Times) []Unit {
	groups := together(specs)
	weigh := times.weights(specs)
	found := map[string]*Unit{}
	for _, s := range specs {
		key := groups.find(textKey(s))
		u := found[key]
		if u == nil {
			u = &Unit{}
			found[key] = u
		}
		u.Texts = append(u.Texts, s.Text)
		u.Specs++
		u.Weight += weigh(s)
	}
	units := make([]Unit, 0, len(found))
	for _, u := range found {
		slices.Sort(u.Texts)
		u.Texts = slices.Compact(u.Texts)
		units = append(units, *u)
	}
	slices.SortFunc(units, func(a, b Unit) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Texts[0], b.Texts[0]))
	})
	return units
}

// Split divides units, in the order that Units gives them, among n shards so that these end
// together: each goes to the shard that has least to do so far (longest processing time
// first). A shard ends at most a third later than in the best split there is. Shards are
// empty when there are fewer units.
func Split(units []Unit, n int) [][]Unit {
	shards := make([][]Unit, n)
	loads := make([]time.Duration, n)
	for _, u := range units {
		least := 0
		for i := range loads {
			if loads[i] < loads[least] {
				least = i
			}
		}
		shards[least] = append(shards[least], u)
		loads[least] += u.Weight
	}
	return shards
}

// Load is what units weigh together.
func Load(units []Unit) time.Duration {
	var sum time.Duration
	for _, u := range units {
		sum += u.Weight
	}
	return sum
}

// Bound is the time below which no split of the units among n shards can end: the n-th part
// of all, or the heaviest unit.
func Bound(units []Unit, n int) time.Duration {
	bound := Load(units) / time.Duration(n)
	for _, u := range units {
		bound = max(bound, u.Weight)
	}
	return bound
}

// Texts are those of units, sorted.
func Texts(units []Unit) []string {
	var texts []string
	for _, u := range units {
		texts = append(texts, u.Texts...)
	}
	slices.Sort(texts)
	return texts
}

// Focus gives the regular expressions that select exactly the texts, one for each, as
// ginkgo's --focus takes them.
func Focus(texts []string) []string {
	focus := make([]string, len(texts))
	for i, text := range texts {
		focus[i] = "^" + regexp.QuoteMeta(text) + "$"
	}
	return focus
}

// Keys of the sets that specs are put into. The prefixes keep texts and groups apart.
func textKey(s Spec) string  { return "text " + s.Text }
func groupKey(s Spec) string { return "group " + s.Group }

// sets holds what belongs together: each key leads to another one of its set, and in the
// end to that which stands for it.
type sets map[string]string

func (s sets) find(key string) string {
	for s[key] != "" {
		key = s[key]
	}
	return key
}

// together joins specs by their texts and groups. A text in two groups joins those too.
func together(specs []Spec) sets {
	s := sets{}
	for _, spec := range specs {
		if spec.Group == "" {
			continue
		}
		if a, b := s.find(textKey(spec)), s.find(groupKey(spec)); a != b {
			s[a] = b
		}
	}
	return s
}
