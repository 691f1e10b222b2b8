package infrastructure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jstemmer/go-junit-report/v2/junit"
)

// resultsFile has the results of all tests that a command ran, as JUnit: those of the unit
// tests, and of every suite after them.
const resultsFile = "junit.xml"

func writeResults(file string, results junit.Testsuites) error {
	var content bytes.Buffer
	content.WriteString(xml.Header)
	if err := results.WriteXML(&content); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content.Bytes(), 0o644)
}

// readResults reads what a file of JUnit has; of a file that is not there, nothing.
func readResults(file string) (junit.Testsuites, error) {
	var results junit.Testsuites
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return results, nil
	}
	if err == nil {
		err = xml.Unmarshal(content, &results)
	}
	if err != nil {
		return results, fmt.Errorf("read results in %s: %w", file, err)
	}
	return results, nil
}

// addResults adds what the file more has to a file of results.
func addResults(file, more string) error {
	results, err := readResults(file)
	if err != nil {
		return err
	}
	added, err := readResults(more)
	if err != nil {
		return err
	}
	for _, suite := range added.Suites {
		suite.ID = len(results.Suites)
		results.AddSuite(suite)
	}
	return writeResults(file, results)
}
