package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// randomBytes is the strength of a drawn value: 128 bits, 32 hex digits.
const randomBytes = 16

// Secret makes sure that a Secret with these keys exists in the deployer's
// namespace. Fixed keys get the given value, random ones 32 hexadecimal digits.
// Values that are already there stay, because a store on a kept cluster has been
// initialised with them; only missing keys are added.
func (d *Deployer) Secret(ctx context.Context, name string, fixed map[string]string, random []string) error {
	values := make(map[string][]byte, len(fixed)+len(random))
	for key, value := range fixed {
		values[key] = []byte(value)
	}
	for _, key := range random {
		if _, twice := values[key]; twice {
			return fmt.Errorf("secret %s: key %q is declared twice", name, key)
		}
		raw := make([]byte, randomBytes)
		if _, err := rand.Read(raw); err != nil {
			return fmt.Errorf("secret %s: draw a value: %w", name, err)
		}
		values[key] = []byte(hex.EncodeToString(raw))
	}
	err := retry(ctx, func() error { return d.ensureSecret(ctx, name, values) })
	if err != nil {
		return fmt.Errorf("create secret %s/%s: %w", d.o.Namespace, name, err)
	}
	return nil
}

func (d *Deployer) ensureSecret(ctx context.Context, name string, values map[string][]byte) error {
	secrets := d.typed.CoreV1().Secrets(d.o.Namespace)
	_, err := secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app.kubernetes.io/managed-by": fieldManager}},
		Type:       corev1.SecretTypeOpaque,
		Data:       values,
	}, metav1.CreateOptions{FieldManager: fieldManager})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	present, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	missing := false
	for key, value := range values {
		if _, ok := present.Data[key]; ok {
			continue
		}
		if present.Data == nil {
			present.Data = map[string][]byte{}
		}
		present.Data[key], missing = value, true
	}
	if !missing {
		return nil
	}
	_, err = secrets.Update(ctx, present, metav1.UpdateOptions{FieldManager: fieldManager})
	return err
}
