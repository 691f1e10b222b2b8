package config

import (
	"reflect"
	"slices"
	"strings"
)

// liveTag marks the keys that take effect while the process runs.
const liveTag = "live"

// Key is one key of the file.
type Key struct {
	// Name is the key with its sections, such as "server.max_in_flight".
	Name string
	// Live tells that a change takes effect while the process runs.
	Live bool

	index []int
}

// Keys returns every key, in the order of the structs.
func Keys() []Key {
	return keysOf(reflect.TypeFor[Config](), "", nil)
}

func keysOf(section reflect.Type, prefix string, above []int) []Key {
	var keys []Key
	for i := range section.NumField() {
		field := section.Field(i)
		name := prefix + strings.Split(field.Tag.Get("yaml"), ",")[0]
		index := append(slices.Clone(above), i)
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(field.Type, name+".", index)...)
			continue
		}
		keys = append(keys, Key{Name: name, Live: field.Tag.Get("reload") == liveTag, index: index})
	}
	return keys
}

// Adopt returns c with the live keys of next, and names the keys that differ, split
// by whether they took effect or wait for a restart.
func (c Config) Adopt(next Config) (adopted Config, applied, waiting []string) {
	adopted = c
	to, from := reflect.ValueOf(&adopted).Elem(), reflect.ValueOf(next)
	for _, key := range Keys() {
		old, wanted := to.FieldByIndex(key.index), from.FieldByIndex(key.index)
		switch {
		case reflect.DeepEqual(old.Interface(), wanted.Interface()):
		case key.Live:
			old.Set(wanted)
			applied = append(applied, key.Name)
		default:
			waiting = append(waiting, key.Name)
		}
	}
	return adopted, applied, waiting
}
