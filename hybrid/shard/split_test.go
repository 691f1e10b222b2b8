package shard

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func specs(texts ...string) []Spec {
	all := make([]Spec, len(texts))
	for i, text := range texts {
		all[i] = Spec{Text: text}
	}
	return all
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Part{"": {}, "1/1": {1, 1}, "2/5": {2, 5}, "999/999": {999, 999}} {
		got, err := Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0/2", "3/2", "-1/2", "1", "1/", "/2", "1/2/3", "01/2", " 1/2", "1/1000", "a/b"} {
		if got, err := Parse(text); err == nil || got != (Part{}) {
			t.Errorf("%q: %v without error", text, got)
		}
	}
	if got := (Part{2, 5}).Name(); got != "2of5" {
		t.Errorf("name %q", got)
	}
}

func TestTheLongestGoFirstToTheShardWithLeastToDo(t *testing.T) {
	times := Times{Procs: 4, Seconds: map[string]float64{"a": 5, "b": 4, "c": 3, "d": 3, "e": 3}}
	shards := Split(Units(specs("e", "c", "a", "d", "b"), times), 2)
	got := fmt.Sprint(Texts(shards[0]), Load(shards[0]), Texts(shards[1]), Load(shards[1]))
	if want := "[a d] 8s [b c e] 10s"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWithoutTimesEachShardHasAsManySpecs(t *testing.T) {
	shards := Split(Units(specs("g", "f", "e", "d", "c", "b", "a"), Times{}), 3)
	got := fmt.Sprint(Texts(shards[0]), Texts(shards[1]), Texts(shards[2]))
	if want := "[a d g] [b e] [c f]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWhatWasNeverMeasuredTakesTheMedian(t *testing.T) {
	times := Times{Seconds: map[string]float64{"a": 1, "b": 2, "c": 30, "gone": 100}}
	for _, u := range Units(specs("a", "b", "c", "new"), times) {
		want := map[string]time.Duration{"a": time.Second, "b": 2 * time.Second, "c": 30 * time.Second, "new": 2 * time.Second}[u.Texts[0]]
		if u.Weight != want {
			t.Errorf("%s weighs %s, want %s", u.Texts[0], u.Weight, want)
		}
	}
}

func TestASerialSpecTakesAllProcesses(t *testing.T) {
	units := Units([]Spec{{Text: "a"}, {Text: "b", Serial: true}}, Times{Procs: 4, Seconds: map[string]float64{"a": 3, "b": 2}})
	if units[0].Texts[0] != "b" || units[0].Weight != 8*time.Second || units[1].Weight != 3*time.Second {
		t.Errorf("units %+v", units)
	}
}

func TestOrderedSpecsAndThoseOfOneTextStayTogether(t *testing.T) {
	units := Units([]Spec{
		{Text: "first", Group: "chain"},
		{Text: "alone"},
		{Text: "second", Group: "chain"},
		{Text: "twin"},
		{Text: "twin"},
		{Text: "second", Group: "other chain"},
		{Text: "third", Group: "other chain"},
	}, Times{})
	var got []string
	for _, u := range units {
		got = append(got, fmt.Sprintf("%d: %s", u.Specs, strings.Join(u.Texts, ", ")))
	}
	if want := []string{"4: first, second, third", "2: twin", "1: alone"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFocusSelectsExactlyTheTexts(t *testing.T) {
	texts := []string{"A counts 1+1 (fast)", "A counts 1+1", "two\nlines"}
	focus := regexp.MustCompile(strings.Join(Focus(texts), "|"))
	for _, text := range texts {
		if !focus.MatchString(text) {
			t.Errorf("%q is not selected", text)
		}
	}
	for _, text := range []string{"A counts 1+1 (fast) again", "B A counts 1+1", "A counts 111", "two", "lines"} {
		if focus.MatchString(text) {
			t.Errorf("%q is selected", text)
		}
	}
}

// FuzzSplit holds every split against what must be true of it: each spec is in exactly one
// shard, groups are whole, the order of the specs changes nothing, and the end is within
// Graham's bounds: the mean and the longest always, four thirds of the best where that can
// be found out.
func FuzzSplit(f *testing.F) {
	f.Add(uint64(1), uint8(7), uint8(2), uint8(3))
	f.Add(uint64(2), uint8(200), uint8(50), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, count, shards, groups uint8) {
		random := rand.New(rand.NewPCG(seed, 0))
		n := 1 + int(shards)
		times := Times{Procs: 1 + random.IntN(4), Seconds: map[string]float64{}}
		var all []Spec
		for i := range int(count) {
			s := Spec{Text: fmt.Sprintf("spec %d", random.IntN(1+2*int(count))), Serial: random.IntN(10) == 0}
			if groups > 0 && random.IntN(3) == 0 {
				s.Group = fmt.Sprint(random.IntN(int(groups)))
			}
			if i%5 > 0 {
				times.Seconds[s.Text] = random.ExpFloat64()
			}
			all = append(all, s)
		}
		units := Units(all, times)
		split := Split(units, n)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if again := Split(Units(all, times), n); fmt.Sprint(again) != fmt.Sprint(split) {
			t.Fatalf("the order of the specs matters:\n%v\n%v", split, again)
		}
		checkWhole(t, all, split)
		end := makespan(split)
		if graham := Load(units)/time.Duration(n) + longest(units); end > graham+time.Nanosecond {
			t.Errorf("the last shard ends after %s, more than %s", end, graham)
		}
		if len(units) <= 8 && n <= 3 {
			if best := optimum(units, make([]time.Duration, n)); end*3 > best*4 {
				t.Errorf("the last shard ends after %s, the best split after %s", end, best)
			}
		}
	})
}

// checkWhole wants each text in one shard, and groups in the shard of their texts.
func checkWhole(t *testing.T, all []Spec, split [][]Unit) {
	t.Helper()
	at := map[string]int{}
	specs := 0
	for i, units := range split {
		for _, u := range units {
			specs += u.Specs
			for _, text := range u.Texts {
				if other, twice := at[text]; twice {
					t.Errorf("%s is in shards %d and %d", text, other, i)
				}
				at[text] = i
			}
		}
	}
	if specs != len(all) {
		t.Errorf("%d specs in all shards, want %d", specs, len(all))
	}
	groups := map[string]int{}
	for _, s := range all {
		here, there := at[s.Text]
		if !there {
			t.Errorf("%s is in no shard", s.Text)
		}
		if other, seen := groups[s.Group]; seen && s.Group != "" && other != here {
			t.Errorf("group %s is in shards %d and %d", s.Group, other, here)
		}
		groups[s.Group] = here
	}
}

func makespan(split [][]Unit) time.Duration {
	var end time.Duration
	for _, units := range split {
		end = max(end, Load(units))
	}
	return end
}

func longest(units []Unit) time.Duration {
	var most time.Duration
	for _, u := range units {
		most = max(most, u.Weight)
	}
	return most
}

// optimum tries every split.
func optimum(units []Unit, loads []time.Duration) time.Duration {
	if len(units) == 0 {
		return slices.Max(loads)
	}
	best := time.Duration(1<<63 - 1)
	for i := range loads {
		loads[i] += units[0].Weight
		best = min(best, optimum(units[1:], loads))
		loads[i] -= units[0].Weight
	}
	return best
}
