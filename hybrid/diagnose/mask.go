package diagnose

import (
	"context"
	"encoding/base64"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// masked stands where a secret value was.
	masked = "(masked)"
	// shortest is the length from which a Secret's value is looked for in other
	// texts. Shorter ones, such as a user name, would blank harmless words.
	shortest = 8
	// secretsTimeout bounds the reading of Secrets, which all writing waits for.
	secretsTimeout = 3 * time.Second
)

// patterns find credentials that are in no Secret: the proxy passwords in a
// node's environment, bearer tokens in logs, assignments to telling names.
//
//nolint:gochecknoglobals // A table that nothing writes to, compiled once.
var patterns = []*regexp.Regexp{
	regexp.MustCompile(`(://[^/\s:@"]+:)[^/\s@"]+(@)`),
	regexp.MustCompile(`(?i)(bearer +)[-._~+/a-z0-9]{16,}=*()`),
	regexp.MustCompile(`(?i)([a-z0-9_]*(?:secret=|(?:password|passwd|token|api_?key)["']?[=:]) *["']?)[^\s"',;&\\]{4,}()`),
}

// masker replaces secret values. Its zero value knows the patterns only.
type masker struct{ values *strings.Replacer }

// newMasker hides the values, also where they are base64, as in manifests.
func newMasker(values [][]byte) masker {
	var pairs []string
	for _, v := range values {
		if len(v) < shortest {
			continue
		}
		pairs = append(pairs, string(v), masked, base64.StdEncoding.EncodeToString(v), masked)
	}
	if len(pairs) == 0 {
		return masker{}
	}
	return masker{values: strings.NewReplacer(pairs...)}
}

func (m masker) text(s string) string {
	if m.values != nil {
		s = m.values.Replace(s)
	}
	for _, p := range patterns {
		s = p.ReplaceAllString(s, "${1}"+masked+"${2}")
	}
	return s
}

func (m masker) bytes(data []byte) []byte { return []byte(m.text(string(data))) }

// learnSecrets reads the values that must not appear anywhere. They stay in
// memory. Without an answer only the patterns mask.
func (c *collector) learnSecrets(ctx context.Context) {
	defer close(c.masked)
	if c.o.Client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, secretsTimeout)
	defer cancel()
	var values [][]byte
	for _, namespace := range c.o.Namespaces {
		list, err := c.o.Client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			c.gap("values to mask, namespace "+namespace, err)
			continue
		}
		for _, s := range list.Items {
			for _, v := range s.Data {
				values = append(values, v)
			}
		}
	}
	c.mask = newMasker(values)
}
