package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// apiserver reads what the API server says that it has used. The kubelet's samples
// are ten seconds apart, too far for loads of half a minute.
func (s *system) apiserver(ctx context.Context) (sample, error) {
	text, err := s.clientset.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return sample{}, fmt.Errorf("read the API server's metrics: %w", err)
	}
	return parseProcess(text, time.Now())
}

// parseProcess finds the two figures without parsing the megabytes around them.
func parseProcess(text []byte, now time.Time) (sample, error) {
	figures := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name != "process_cpu_seconds_total" && name != "process_resident_memory_bytes" {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return sample{}, fmt.Errorf("read %s of the API server: %w", name, err)
		}
		figures[name] = number
	}
	if len(figures) != 2 {
		return sample{}, fmt.Errorf("the API server's metrics have %d of the two process metrics", len(figures))
	}
	return sample{at: now, cpu: figures["process_cpu_seconds_total"], memory: figures["process_resident_memory_bytes"]}, lines.Err()
}
