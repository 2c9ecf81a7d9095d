package demo

import (
	"bytes"
	"testing"
)

func TestLabels(t *testing.T) {
	var to bytes.Buffer
	l := &labels{to: &to}
	a, b := l.of("n1"), l.of("n2")
	for _, step := range []struct {
		by   string
		text string
	}{{"a", "one\ntw"}, {"b", "three\n"}, {"a", "o\n\nfour"}, {"b", ""}} {
		w := a
		if step.by == "b" {
			w = b
		}
		if n, err := w.Write([]byte(step.text)); n != len(step.text) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "n1 | one\nn2 | three\nn1 | two\nn1 | \n"; to.String() != want {
		t.Errorf("%q, not %q", to.String(), want)
	}
	if (&labels{}).of("n1") != nil {
		t.Error("nowhere is somewhere")
	}
}
