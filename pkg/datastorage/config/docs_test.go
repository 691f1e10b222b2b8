package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
)

// keys returns the names of all keys below a struct.
func keys(of reflect.Type, prefix string) []string {
	var names []string
	for field := range of.Fields() {
		name := prefix + field.Tag.Get("yaml")
		if field.Type.Kind() == reflect.Struct {
			names = append(names, keys(field.Type, name+".")...)
			continue
		}
		names = append(names, name)
	}
	return names
}

func TestThePageHasTheKeysAndTheirDefaults(t *testing.T) {
	page, err := doctest.Read("../../../docs/datastorage/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	table, err := page.Table("Key", "Default", "Meaning")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]string)
	for _, row := range table.Rows {
		if _, twice := shown[row[0]]; twice || row[2] == "" {
			t.Errorf("%s stands twice, or means nothing", row[0])
		}
		shown[row[0]] = row[1]
	}
	for _, name := range keys(reflect.TypeFor[Config](), "") {
		value, found := shown[name]
		if !found {
			t.Errorf("the page lacks %s", name)
			continue
		}
		delete(shown, name)
		// A file with only this key must mean the defaults.
		section, key, _ := strings.Cut(name, ".")
		read, err := Parse([]byte(section + ":\n  " + key + ": \"" + value + "\"\n"))
		if err != nil {
			// Numbers must not be quoted.
			read, err = Parse([]byte(section + ":\n  " + key + ": " + value + "\n"))
		}
		if err != nil || read != Default() {
			t.Errorf("%s: %q is not the default: %v", name, value, err)
		}
	}
	if len(shown) > 0 {
		t.Errorf("the page invents %v", shown)
	}
}
