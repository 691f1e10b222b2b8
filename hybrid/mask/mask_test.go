package mask

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const value = "0123456789abcdef0123456789abcdef"

func TestText(t *testing.T) {
	m := New([][]byte{[]byte(value), []byte("audit")})
	for in, want := range map[string]string{
		"audit " + value: "audit (masked)",
		"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=": "(masked)",
		"postgres://audit:geheim@host/db":              "postgres://audit:(masked)@host/db",
		"Authorization: Bearer abcdefghijklmnopqrst":   "Authorization: Bearer (masked)",
		"REDIS_PASSWORD=geheim next":                   "REDIS_PASSWORD=(masked) next",
		`{"password":"geheim","a":1}`:                  `{"password":"(masked)","a":1}`,
		`secret "redis-auth" not found`:                `secret "redis-auth" not found`,
		"secretName: redis-auth":                       "secretName: redis-auth",
		"image hybrid.local/gateway:abcdef":            "image hybrid.local/gateway:abcdef",
	} {
		if got := m.Text(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestTheZeroValueKnowsThePatterns(t *testing.T) {
	if got, want := (Masker{}).Text("token=abcd "+value), "token=(masked) "+value; got != want {
		t.Errorf("it became %q, want %q", got, want)
	}
}

func TestSecrets(t *testing.T) {
	client := fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: "one"}, Data: map[string][]byte{"password": []byte(value)}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: "two"}, Data: map[string][]byte{"password": []byte("not asked for")}},
	)
	m, err := Secrets(t.Context(), client, "one")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Text(value+", not asked for"), "(masked), not asked for"; got != want {
		t.Errorf("it became %q, want %q", got, want)
	}
	client.PrependReactor("list", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		return a.GetNamespace() == "two", nil, errors.New("connection refused")
	})
	m, err = Secrets(t.Context(), client, "two", "one")
	if want := "namespace two: connection refused"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if got := m.Text(value); got != "(masked)" {
		t.Errorf("it became %q, although that namespace answered", got)
	}
}
