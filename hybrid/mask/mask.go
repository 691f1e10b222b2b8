package mask

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// masked stands where a secret value was.
	masked = "(masked)"
	// shortest is the length from which a Secret's value is looked for in other
	// texts. Shorter ones, such as a user name, would blank harmless words.
	shortest = 8
	// readTimeout bounds the reading of Secrets, which all writing waits for.
	readTimeout = 3 * time.Second
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

// Masker replaces secret values. Its zero value knows the patterns only.
type Masker struct{ values *strings.Replacer }

// New hides the values, also where they are base64, as in manifests.
func New(values [][]byte) Masker {
	var pairs []string
	for _, v := range values {
		if len(v) < shortest {
			continue
		}
		pairs = append(pairs, string(v), masked, base64.StdEncoding.EncodeToString(v), masked)
	}
	if len(pairs) == 0 {
		return Masker{}
	}
	return Masker{values: strings.NewReplacer(pairs...)}
}

// Secrets hides what the Secrets of the namespaces hold. The values stay in memory. The
// Masker is fit for use also with an error, which names the namespaces that did not
// answer within a few seconds: their values it does not know.
func Secrets(ctx context.Context, client kubernetes.Interface, namespaces ...string) (Masker, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var values [][]byte
	var errs []error
	for _, namespace := range namespaces {
		list, err := client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			errs = append(errs, fmt.Errorf("namespace %s: %w", namespace, err))
			continue
		}
		for _, s := range list.Items {
			for _, v := range s.Data {
				values = append(values, v)
			}
		}
	}
	return New(values), errors.Join(errs...)
}

// Text returns s without secret values.
func (m Masker) Text(s string) string {
	if m.values != nil {
		s = m.values.Replace(s)
	}
	for _, p := range patterns {
		s = p.ReplaceAllString(s, "${1}"+masked+"${2}")
	}
	return s
}
