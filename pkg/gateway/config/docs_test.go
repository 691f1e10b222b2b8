package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
)

func page(t *testing.T) doctest.Page {
	t.Helper()
	read, err := doctest.Read("../../../docs/gateway/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// row is what the page says of a key.
type row struct {
	kind, fallback, bounds, effect string
}

// rows returns the rows of all tables of keys.
func rows(t *testing.T) map[string]row {
	t.Helper()
	found := make(map[string]row)
	for _, table := range page(t).Tables {
		if slices.Equal(table.Columns, []string{"Variable", "Overrides"}) {
			continue
		}
		if want := []string{"Key", "Type", "Default", "Bounds", "Takes effect", "Meaning"}; !slices.Equal(table.Columns, want) {
			t.Fatalf("%s: columns %q", table.Section, table.Columns)
		}
		for _, cells := range table.Rows {
			if _, twice := found[cells[0]]; twice || cells[5] == "" {
				t.Errorf("%s stands twice, or means nothing", cells[0])
			}
			kind, _, _ := strings.Cut(cells[1], ", ") // The unit stands beside it.
			found[cells[0]] = row{kind: kind, fallback: cells[2], bounds: cells[3], effect: cells[4]}
		}
	}
	return found
}

// valueOf returns the place of a key in a configuration.
func valueOf(c *Config, key Key) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(key.index)
}

// complete returns the defaults with what has none.
func complete() *Config {
	c := Default()
	c.Audit.DataStorageURL = "http://datastorage:8080"
	return &c
}

func TestThePageHasTheKeys(t *testing.T) {
	shown, effect := rows(t), map[bool]string{true: "live", false: "restart"}
	defaults := Default()
	for _, key := range Keys() {
		value, got := valueOf(&defaults, key), shown[key.Name]
		if got.kind != kindOf(value) || got.effect != effect[key.Live] {
			t.Errorf("%s: the page has %+v, the code a %s that takes effect %s", key.Name, got, kindOf(value), effect[key.Live])
		}
		if fallback := loaded(t, key.Name, got.fallback); !reflect.DeepEqual(fallback, defaults) {
			t.Errorf("%s: %q is not the default", key.Name, got.fallback)
		}
		if (got.fallback == "none") != value.IsZero() {
			t.Errorf("%s: the page has the default %q, the code %v", key.Name, got.fallback, value)
		}
		delete(shown, key.Name)
	}
	if len(shown) > 0 {
		t.Errorf("the page invents %v", shown)
	}
}

// loaded reads a file with one key.
func loaded(t *testing.T, key, value string) Config {
	t.Helper()
	if value == "none" {
		value = ""
	}
	if strings.Contains(value, ":") {
		value = strconv.Quote(value)
	}
	read, err := Parse([]byte("{" + strings.ReplaceAll(key, ".", ": {") + ": " + value + strings.Repeat("}", 1+strings.Count(key, "."))))
	if err != nil {
		t.Errorf("%s: %v", key, err)
	}
	return read
}

func kindOf(value reflect.Value) string {
	if value.Type() == reflect.TypeFor[Duration]() {
		return "duration"
	}
	switch value.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float32:
		return "number"
	case reflect.Slice:
		return "list"
	default:
		return "text"
	}
}

// TestThePageHasTheBounds sets each key to values on both sides of every bound, and
// wants those accepted that the page has within them, and no others.
func TestThePageHasTheBounds(t *testing.T) {
	shown := rows(t)
	for _, key := range Keys() {
		bounds := shown[key.Name].bounds
		switch kindOf(valueOf(complete(), key)) {
		case "duration", "integer", "number":
			for _, probe := range probes() {
				c := complete()
				set(valueOf(c, key), probe)
				if err := c.Validate(); (err == nil) != within(t, c, bounds, probe) {
					t.Errorf("%s: the page has %q, and %d gives %v", key.Name, bounds, probe, err)
				}
			}
		case "text", "list":
			c := complete()
			valueOf(c, key).Set(odd(valueOf(c, key)))
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key.Name+": ") || bounds == "" {
				t.Errorf("%s: the page has %q, an odd value gives %v", key.Name, bounds, err)
			}
		default:
			if bounds != "" {
				t.Errorf("%s: %q", key.Name, bounds)
			}
		}
	}
	for level := range strings.SplitSeq(shown["log.level"].bounds, ", ") {
		c := complete()
		c.Log.Level = level
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// probes lie around every bound of the default configuration.
func probes() []int64 {
	var found []int64
	for _, bound := range []int64{0, maxAuditBatch, int64(Default().Processing.Timeout), int64(Default().Server.WriteTimeout)} {
		found = append(found, bound-1, bound, bound+1)
	}
	return found
}

func set(value reflect.Value, probe int64) {
	if value.CanFloat() {
		value.SetFloat(float64(probe))
		return
	}
	value.SetInt(probe)
}

// odd is no value that any key of its kind takes.
func odd(like reflect.Value) reflect.Value {
	if like.Kind() == reflect.Slice {
		return reflect.ValueOf([]string{"%"})
	}
	return reflect.ValueOf("%")
}

// within tells whether a value lies within bounds such as "above 0, at most 1000". A
// bound may be the value of another key.
func within(t *testing.T, c *Config, bounds string, value int64) bool {
	t.Helper()
	for bound := range strings.SplitSeq(bounds, ", ") {
		space := strings.LastIndexByte(bound, ' ')
		relation, limit := bound[:space], limitOf(t, c, bound[space+1:])
		holds, known := map[string]bool{
			"above": value > limit, "at least": value >= limit, "at most": value <= limit,
			"below": value < limit, "not": value != limit,
		}[relation]
		if !known {
			t.Fatalf("no relation %q", relation)
		}
		if !holds {
			return false
		}
	}
	return true
}

func limitOf(t *testing.T, c *Config, limit string) int64 {
	t.Helper()
	for _, key := range Keys() {
		if key.Name == limit {
			return valueOf(c, key).Int()
		}
	}
	number, err := strconv.ParseInt(limit, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestThePageHasTheVariables(t *testing.T) {
	want, err := doctest.Constants(".", "Env*")
	if err != nil {
		t.Fatal(err)
	}
	table, err := page(t).Table("Variable", "Overrides")
	if err != nil {
		t.Fatal(err)
	}
	shown := table.Column("Variable")
	slices.Sort(shown)
	if !slices.Equal(shown, want) {
		t.Errorf("the page has %q, the code %q", shown, want)
	}
	for _, cells := range table.Rows {
		variables := map[string]string{EnvDataStorageURL: "http://datastorage:8080", cells[0]: "http://127.0.0.1"}
		if strings.HasSuffix(cells[1], "address") {
			variables[cells[0]] = "127.0.0.1:1"
		}
		got, err := Source{Getenv: func(name string) string { return variables[name] }}.Load()
		if err != nil {
			t.Fatal(err)
		}
		place := slices.IndexFunc(Keys(), func(key Key) bool { return key.Name == cells[1] })
		if place < 0 || valueOf(&got, Keys()[place]).String() != variables[cells[0]] {
			t.Errorf("%s does not override %s", cells[0], cells[1])
		}
	}
}

func TestTheExampleOfThePageIsValid(t *testing.T) {
	blocks := page(t).Blocks
	if len(blocks) != 1 {
		t.Fatalf("%d examples", len(blocks))
	}
	read, err := Parse([]byte(blocks[0].Text))
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Validate(); err != nil {
		t.Error(err)
	}
}
