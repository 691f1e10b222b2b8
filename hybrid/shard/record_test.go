package shard

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// shards are the records of a run in two parts.
func shards() []Record {
	images := map[string]string{"a": "hybrid.local/a:1"}
	all := []string{"one", "three", "two", "two"}
	return []Record{
		{Run: "r1", Suite: "shop", Part: Part{1, 2}, Commit: "c", Images: images, All: all, Specs: []string{"one", "three"}},
		{Run: "r2", Suite: "shop", Part: Part{2, 2}, Commit: "c", Images: images, All: all, Specs: []string{"two", "two"}},
	}
}

func TestProve(t *testing.T) {
	whole := [][]string{{"one", "three"}, {"two", "two"}}
	for _, c := range []struct {
		name    string
		change  func(r []Record) []Record
		ran     [][]string
		message string
	}{
		{"all is well", nil, whole, ""},
		{"the order of shards does not matter", func(r []Record) []Record { return []Record{r[1], r[0]} }, [][]string{{"two", "two"}, {"three", "one"}}, ""},
		{"a spec is missing", nil, [][]string{{"one"}, {"two", "two"}}, "did not run, though shard 1/2 has it: three"},
		{"one of two specs with the same text is missing", nil, [][]string{{"one", "three"}, {"two"}}, "did not run, though shard 2/2 has it: two"},
		{"no shard has it", func(r []Record) []Record {
			r[0].Specs = []string{"one"}
			return r
		}, [][]string{{"one"}, {"two", "two"}}, "did not run, since no shard has it: three"},
		{"a spec ran twice", nil, [][]string{{"one", "three"}, {"one", "two", "two"}}, "ran 2 times instead of 1: one"},
		{"a spec is in none of the lists", nil, [][]string{{"one", "three", "four"}, {"two", "two"}}, "ran 1 times instead of 0: four"},
		{"a shard is missing", func(r []Record) []Record { return r[:1] }, whole[:1], "shard 2/2 is missing"},
		{"a shard is there twice", func(r []Record) []Record { return append(r, r[1]) }, append(whole, whole[1]), "shard 2/2 is there 2 times: r2, r2"},
		{"another commit", func(r []Record) []Record {
			r[1].Commit = "d"
			return r
		}, whole, "shards 1/2 and 2/2 are not of one run: commit c and d"},
		{"another suite", func(r []Record) []Record {
			r[1].Suite = "bar"
			return r
		}, whole, "shards 1/2 and 2/2 are not of one run: suite shop and bar"},
		{"another image", func(r []Record) []Record {
			r[1].Images = map[string]string{"a": "hybrid.local/a:2"}
			return r
		}, whole, "shards 1/2 and 2/2 are not of one run: image a hybrid.local/a:1 and hybrid.local/a:2"},
		{"another number of shards", func(r []Record) []Record {
			r[1].Part.Of = 3
			return r
		}, whole, "shards 1/2 and 2/3 are not of one run: shards 2 and 3"},
		{"other specs", func(r []Record) []Record {
			r[1].All = []string{"one"}
			return r
		}, whole, "shards 1/2 and 2/2 are not of one run: 4 and 1 specs, which are not the same"},
		{"nothing at all", func([]Record) []Record { return nil }, nil, "there is no shard"},
	} {
		records := shards()
		if c.change != nil {
			records = c.change(records)
		}
		err := Prove(records, c.ran)
		if got := fmt.Sprint(err); err == nil != (c.message == "") || err != nil && got != c.message {
			t.Errorf("%s: %q, want %q", c.name, got, c.message)
		}
	}
}

// FuzzProve divides specs, some of one text, and lets one run once too little or too much:
// only what ran as it was divided is proven.
func FuzzProve(f *testing.F) {
	f.Add(uint64(1), uint8(9), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, count, parts uint8) {
		random := rand.New(rand.NewPCG(seed, 0))
		n := 1 + int(parts)
		records, ran := make([]Record, n), make([][]string, n)
		var all []string
		for range 1 + int(count) {
			text := fmt.Sprint(random.IntN(1 + int(count)))
			at := random.IntN(n)
			all = append(all, text)
			records[at].Specs = append(records[at].Specs, text)
			ran[at] = append(ran[at], text)
		}
		for i := range records {
			records[i].Part = Part{i + 1, n}
			records[i].All = all
		}
		if err := Prove(records, ran); err != nil {
			t.Fatalf("all ran once: %v", err)
		}
		at := slices.IndexFunc(ran, func(texts []string) bool { return len(texts) > 0 })
		whole := ran[at]
		ran[at] = whole[1:]
		if err := Prove(records, ran); err == nil || !strings.Contains(err.Error(), "did not run, though shard ") {
			t.Errorf("%q is missing: %v", whole[0], err)
		}
		ran[at] = append(slices.Clone(whole), whole[0])
		if err := Prove(records, ran); err == nil || !strings.Contains(err.Error(), "ran ") {
			t.Errorf("%q ran twice: %v", whole[0], err)
		}
	})
}

func TestManyMissingSpecsAreCounted(t *testing.T) {
	r := shards()[:1]
	r[0].Part = Part{1, 1}
	r[0].All = nil
	for i := range 25 {
		r[0].All = append(r[0].All, fmt.Sprintf("spec %02d", i))
	}
	err := Prove(r, [][]string{nil})
	if got := strings.Count(err.Error(), "\n"); got != 10 || !strings.HasSuffix(err.Error(), "spec 09\nand 15 more") {
		t.Errorf("%d lines: %v", got, err)
	}
	if next := fault.Next(err); next != "run the shards again, all with the same durations.json in SHARD_TIMES" {
		t.Errorf("next %q", next)
	}
}

func TestFilesRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := shards()[0]
	if err := want.Save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadRecord(dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	times := Times{Procs: 4, Seconds: map[string]float64{"one": 1.5}}
	if err := times.Save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadTimes(filepath.Join(dir, TimesName)); err != nil || !reflect.DeepEqual(got, times) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ReadTimes(filepath.Join(dir, "none")); err != nil || got.Seconds != nil {
		t.Errorf("of no file: %+v, %v", got, err)
	}
	for name, content := range map[string]string{TimesName: `{"procs": -1}`, RecordName: `{"part": {"number": 3, "of": 2}}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadTimes(filepath.Join(dir, TimesName)); err == nil || !strings.HasPrefix(err.Error(), "read how long specs take: ") {
		t.Errorf("error %v", err)
	}
	if _, err := ReadRecord(dir); err == nil || !strings.HasPrefix(err.Error(), "read what a shard has: ") {
		t.Errorf("error %v", err)
	}
	if err := (Times{}).Save(filepath.Join(dir, "no folder")); err != nil {
		t.Errorf("nothing is written of nothing: %v", err)
	}
}
