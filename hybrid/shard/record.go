package shard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// RecordName is the name of the record in a run's folder.
const RecordName = "shard.json"

// Record says which part of which run a folder has the reports of.
type Record struct {
	// Run is the id of the shard's run, Suite the suite's name.
	Run   string `json:"run"`
	Suite string `json:"suite"`
	Part  Part   `json:"part"`
	// Commit is what git says of the sources, empty where they are in no repository.
	Commit string `json:"commit"`
	// Images maps names to full references, which name the content.
	Images map[string]string `json:"images"`
	// Focus and Labels are what selected the specs before they were divided.
	Focus  string `json:"focus,omitempty"`
	Labels string `json:"labels,omitempty"`
	// Plain says that no coverage was measured.
	Plain bool `json:"plain,omitempty"`
	// All are the texts of the specs of all shards, Specs of those that this one has. A
	// text of two specs stands twice.
	All   []string `json:"all"`
	Specs []string `json:"specs"`
}

// Save writes the record into a run's folder.
func (r Record) Save(folder string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, RecordName), append(b, '\n'), 0o644)
}

// ReadRecord reads what Save wrote.
func ReadRecord(folder string) (Record, error) {
	var r Record
	file := filepath.Join(folder, RecordName)
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err == nil && (r.Part.Number < 1 || r.Part.Number > r.Part.Of || r.Part.Of > maxParts) {
		err = fmt.Errorf("%s is of shard %d of %d", file, r.Part.Number, r.Part.Of)
	}
	if err != nil {
		return Record{}, fmt.Errorf("read what a shard has: %w", err)
	}
	return r, nil
}

// Prove shows that the records are those of all shards of one run, and that each spec ran
// exactly once; ran has the texts of the specs that ran in each, in the order of the
// records. The error names all that speaks against it.
func Prove(records []Record, ran [][]string) error {
	if len(records) == 0 {
		return errors.New("there is no shard")
	}
	if err := errors.Join(alike(records), complete(records)); err != nil {
		return err
	}
	total := map[string]int{}
	for _, texts := range ran {
		for _, text := range texts {
			total[text]++
		}
	}
	var errs []error
	want := count(records[0].All)
	for _, text := range slices.Sorted(maps.Keys(want)) {
		if missing := want[text] - total[text]; missing > 0 {
			errs = append(errs, fmt.Errorf("did not run%s: %s", whose(records, text), text))
		}
	}
	for _, text := range slices.Sorted(maps.Keys(total)) {
		if total[text] > want[text] {
			errs = append(errs, fmt.Errorf("ran %d times instead of %d: %s", total[text], want[text], text))
		}
	}
	return fault.With(some(errs), "run the shards again, all with the same "+TimesName+" in SHARD_TIMES")
}

// alike finds what differs between shards of one run.
func alike(records []Record) error {
	var errs []error
	first := records[0]
	for _, r := range records[1:] {
		differs := func(what string, a, b any) {
			if fmt.Sprint(a) != fmt.Sprint(b) {
				errs = append(errs, fault.With(fmt.Errorf("shards %s and %s are not of one run: %s %v and %v", first.Part, r.Part, what, a, b),
					"run all shards of the same commit, with the same settings; SECURITY_EPOCH holds images across midnight"))
			}
		}
		differs("suite", first.Suite, r.Suite)
		differs("shards", first.Part.Of, r.Part.Of)
		differs("commit", first.Commit, r.Commit)
		differs("FOCUS", first.Focus, r.Focus)
		differs("LABELS", first.Labels, r.Labels)
		differs("without coverage", first.Plain, r.Plain)
		names := maps.Clone(first.Images)
		maps.Copy(names, r.Images)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			differs("image "+name, first.Images[name], r.Images[name])
		}
		if !slices.Equal(slices.Sorted(slices.Values(first.All)), slices.Sorted(slices.Values(r.All))) {
			errs = append(errs, fmt.Errorf("shards %s and %s are not of one run: %d and %d specs, which are not the same", first.Part, r.Part, len(first.All), len(r.All)))
		}
	}
	return errors.Join(errs...)
}

// complete finds shards that are missing or there twice.
func complete(records []Record) error {
	there := map[int][]string{}
	for _, r := range records {
		there[r.Part.Number] = append(there[r.Part.Number], r.Run)
	}
	var errs []error
	for i := range records[0].Part.Of {
		p := Part{i + 1, records[0].Part.Of}
		switch runs := there[p.Number]; len(runs) {
		case 0:
			errs = append(errs, fault.With(fmt.Errorf("shard %s is missing", p), "SHARD="+p.String()+" with the same settings, or name its folder too"))
		case 1:
		default:
			errs = append(errs, fault.With(fmt.Errorf("shard %s is there %d times: %s", p, len(runs), strings.Join(runs, ", ")), "name the folder of one of them"))
		}
	}
	return errors.Join(errs...)
}

func count(texts []string) map[string]int {
	counts := map[string]int{}
	for _, text := range texts {
		counts[text]++
	}
	return counts
}

// whose says which shards have a spec. Two or none mean that shards were divided by
// different times.
func whose(records []Record, text string) string {
	var parts []string
	for _, r := range records {
		if slices.Contains(r.Specs, text) {
			parts = append(parts, r.Part.String())
		}
	}
	if len(parts) == 0 {
		return ", since no shard has it"
	}
	return ", though shard " + strings.Join(parts, " and ") + " has it"
}

// some joins errors, and only counts those beyond the tenth.
func some(errs []error) error {
	const most = 10
	if rest := len(errs) - most; rest > 0 {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", rest))
	}
	return errors.Join(errs...)
}
