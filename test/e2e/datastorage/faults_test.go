package datastorage

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) killedTransaction() {
	Describe("PostgreSQL", first, Label("fault", "postgresql"), func() {
		It("is killed in the middle of a transaction: nothing of it is half there, and it is stored once", SpecTimeout(faultBudget), func(ctx SpecContext) {
			const last = "ffffffff-ffff-4fff-bfff-ffffffffffff"
			own := s.startReady(ctx, instance{spare: spareOfTransaction})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)

			// Ids are claimed in their order: the batch has claimed a hundred when it
			// waits for the session that holds the last one.
			held := own.disturbed(ctx, "BEGIN", "INSERT INTO audit_event_ids VALUES ('"+last+"', current_date)", "SELECT pg_sleep(60)")
			blocked := `FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO audit_event_ids%'`
			events := newEvents(newCorrelation(), 101)
			events[100] = events[100].with("event_id", last)
			var delivered sync.WaitGroup
			var pid []string
			Eventually(func(ctx context.Context) ([]string, error) {
				return own.sql(ctx, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
			}, settleBudget, look).WithContext(ctx).Should(HaveLen(1))
			delivered.Go(func() { t.deliver(ctx, events...) })
			Eventually(func(ctx context.Context) ([]string, error) {
				var err error
				pid, err = own.sql(ctx, "SELECT pid "+blocked)
				return pid, err
			}, settleBudget, poll).WithContext(ctx).Should(HaveLen(1))
			_, err := own.Execute(ctx, "postgresql", "kill -KILL "+pid[0])
			Expect(err).NotTo(HaveOccurred())
			held()
			delivered.Wait()
			t.expectWitness(ctx, http.StatusCreated)

			t.goOn(ctx)
			Expect(t.stop()).To(onlyStatuses(http.StatusCreated, http.StatusAccepted))
			t.expectBalance(ctx)
			t.expectOrder()
			Expect(own.run(ctx, "SELECT count(*) FROM audit_event_ids")).To(Equal([]string{strconv.Itoa(len(t.accepted))}))
		})
	})
}

// killDataStorage ends the process as the kernel does when memory is short: without
// any notice. It is not PID 1, because the containers of the pod share their processes.
const killDataStorage = `for process in /proc/[0-9]*; do
	if [ "$(cat $process/comm)" = datastorage ]; then kill -KILL "${process#/proc/}"; fi
done`

func (s *system) killedReplay() {
	Describe("DataStorage", first, Label("fault", "restart"), func() {
		It("is killed while the queue replays: the rest is replayed after it, nothing twice", SpecTimeout(faultBudget), func(ctx SpecContext) {
			const batches, each = 40, 500
			own := s.startReady(ctx, instance{spare: spareOfReplay, adjust: func(d *appsv1.Deployment) {
				if d.Name == "datastorage" {
					d.Spec.Template.Spec.ShareProcessNamespace = new(true)
				}
			}})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)
			own.Stop(ctx, testbed.PostgreSQL)
			t.expectWitness(ctx, http.StatusAccepted)
			for range batches {
				Expect(t.deliver(ctx, newEvents(newCorrelation(), each)...)).To(Equal(http.StatusAccepted))
			}
			full, err := own.waiting(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(full).To(BeNumerically(">", batches*each))

			own.Begin(ctx, testbed.PostgreSQL)
			Eventually(own.waiting, testbed.RolloutBudget, poll).WithContext(ctx).Should(BeNumerically("<", full))
			_, err = own.Execute(ctx, "datastorage", killDataStorage)
			Expect(err).NotTo(HaveOccurred())
			Expect(own.waiting(ctx)).To(And(BeNumerically(">", 0), BeNumerically("<", full)), "killed in the middle of the replay")
			Eventually(own.Restarts, testbed.RolloutBudget, poll).WithContext(ctx).WithArguments("datastorage").Should(Equal(int32(1)))
			t.expectWitness(ctx, http.StatusCreated)

			t.goOn(ctx)
			t.stop()
			t.expectBalance(ctx)
			t.expectOrder()
		})
	})
}

// small gives PostgreSQL a volume that is soon full, and the pod a second container
// that can fill it even while the server does not run.
func small(d *appsv1.Deployment) {
	if d.Name != "postgresql" {
		return
	}
	pod := &d.Spec.Template.Spec
	for i := range pod.Volumes {
		if pod.Volumes[i].Name == "data" {
			pod.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{
				Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("160Mi")),
			}
		}
	}
	server := &pod.Containers[0]
	// The volume is memory, and counts as such.
	server.Resources.Limits[corev1.ResourceMemory] = resource.MustParse("768Mi")
	ballast := corev1.Container{
		Name: "ballast", Image: server.Image, ImagePullPolicy: server.ImagePullPolicy, SecurityContext: server.SecurityContext,
		Command: []string{"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"}, Resources: server.Resources,
	}
	for _, mount := range server.VolumeMounts {
		if mount.Name == "data" {
			ballast.VolumeMounts = append(ballast.VolumeMounts, mount)
		}
	}
	pod.Containers = append(pod.Containers, ballast)
}

func (s *system) fullDisk() {
	Describe("PostgreSQL", first, Label("fault", "postgresql"), func() {
		It("has a full disk: events are queued, and stored when there is room again", SpecTimeout(faultBudget), func(ctx SpecContext) {
			const file, full = "/var/lib/postgresql/data/ballast", 10 * time.Second
			own := s.startReady(ctx, instance{spare: spareOfDisk, adjust: small})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)

			_, err := own.ExecuteIn(ctx, "postgresql", "ballast", "dd if=/dev/zero of="+file+" bs=4k; test -s "+file)
			Expect(err).NotTo(HaveOccurred())
			// Small events still find room in pages that are there; large ones do not.
			large := func(ctx context.Context) int {
				return t.try(ctx, newEvent(newCorrelation()).with("event_data", map[string]any{"text": randomText(200 << 10)}))
			}
			Eventually(large, settleBudget, look).WithContext(ctx).Should(Equal(http.StatusAccepted))
			Consistently(large, full, 2*time.Second).WithContext(ctx).Should(Equal(http.StatusAccepted))
			_, err = own.ExecuteIn(ctx, "postgresql", "ballast", "rm "+file)
			Expect(err).NotTo(HaveOccurred())
			Eventually(large, testbed.RolloutBudget, look).WithContext(ctx).Should(Equal(http.StatusCreated))

			t.goOn(ctx)
			Expect(t.stop()).To(onlyStatuses(http.StatusCreated, http.StatusAccepted))
			t.expectBalance(ctx)
			t.expectOrder()
		})
	})
}

func (s *system) rollingUpdate() {
	Describe("Rolling update", first, Label("restart"), func() {
		It("of DataStorage under load fails no request", SpecTimeout(faultBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{
				spare: spareOfRollingUpdate, onlyReady: true,
				// kube-proxy forgets an endpoint within a second or two; here it shares
				// two processors with all other specs.
				config: "server:\n  shutdown_delay: 8s\n",
			})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)
			before, err := own.ReadyPods(ctx, "datastorage")
			Expect(err).NotTo(HaveOccurred())

			own.Patch(ctx, "datastorage", `{"spec":{"template":{"metadata":{"annotations":{"spec":"updated"}}}}}`)
			Eventually(own.ReadyPods, testbed.RolloutBudget, poll).WithContext(ctx).WithArguments("datastorage").
				Should(And(HaveLen(1), Not(Equal(before))))

			t.goOn(ctx)
			t.stop()
			Expect(t.failures).To(BeEmpty(), "requests without an answer")
			Expect(t.answers(http.StatusServiceUnavailable)).To(BeZero())
			t.expectBalance(ctx)
			t.expectOrder()
		})
	})
}

func (s *system) replicas() {
	Describe("Three replicas", first, Label("replicas", "migrations"), func() {
		It("start at once, migrate once, and store once what all of them are sent", SpecTimeout(faultBudget), func(ctx SpecContext) {
			const same, replicas = 60, 3
			own := s.start(ctx, instance{spare: spareOfReplicas, onlyReady: true, config: patient, adjust: func(d *appsv1.Deployment) {
				if d.Name == "datastorage" {
					d.Spec.Replicas = new(int32(replicas))
				}
			}})
			own.AwaitReady(ctx, "datastorage", replicas)
			own.AwaitReady(ctx, "redis", 1)
			own.awaitStores(ctx, storesAre("up", true, "up"))
			Expect(own.run(ctx, "SELECT version_id FROM goose_db_version ORDER BY id")).To(Equal([]string{"0", "1", "2"}))
			now := time.Now()
			Expect(own.run(ctx, partitionsQuery)).To(Equal(monthsFrom(now.AddDate(0, 0, -7), now)))
			Expect(own.Restarts(ctx, "datastorage")).To(BeZero())

			t := own.startTraffic(ctx)
			events := newEvents(newCorrelation(), 10)
			var group sync.WaitGroup
			for range same {
				group.Go(func() { t.deliver(ctx, events...) })
			}
			group.Wait()
			t.goOn(ctx)
			Expect(t.stop()).To(onlyStatuses(http.StatusCreated))
			t.expectBalance(ctx)
			t.expectOrder()
		})
	})
}

// deliverTogether sends that many batches at the same time, of events with that many
// characters of data each, until all are accepted.
func (t *traffic) deliverTogether(ctx context.Context, batches, each, characters int) {
	var group sync.WaitGroup
	for range batches {
		events := newEvents(newCorrelation(), each)
		for i := range events {
			events[i] = events[i].with("event_data", map[string]any{"text": randomText(characters)})
		}
		group.Go(func() { t.deliver(ctx, events...) })
	}
	group.Wait()
}

// kibibytes reads a number of KiB and returns bytes.
func kibibytes(text string) int {
	GinkgoHelper()
	size, err := strconv.Atoi(strings.TrimSpace(text))
	Expect(err).NotTo(HaveOccurred())
	return size << 10
}
