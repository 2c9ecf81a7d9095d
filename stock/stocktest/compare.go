package stocktest

import (
	"fmt"
	"reflect"
	"slices"

	"holdfast/stock"
)

// Compare returns the first difference between two outcomes, "" when they are equal. A nil Detail equals a zero one.
func Compare(want, got stock.Outcome) string {
	if want.Code != got.Code {
		return fmt.Sprintf("Code: want %v, got %v", want.Code, got.Code)
	}
	if want.Replayed != got.Replayed {
		return fmt.Sprintf("Replayed: want %v, got %v", want.Replayed, got.Replayed)
	}
	if d := comparePointers("Order", want.Order, got.Order); d != "" {
		return d
	}
	if d := comparePointers("SKU", want.SKU, got.SKU); d != "" {
		return d
	}
	return compareDetails(want.Detail, got.Detail)
}

// CompareOrders returns the first difference between two lists of orders, "" when they are equal.
func CompareOrders(want, got []stock.Order) string {
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			return firstField(fmt.Sprintf("order %d (%v)", i, want[i].ID), reflect.ValueOf(want[i]), reflect.ValueOf(got[i]))
		}
	}
	switch {
	case len(want) > len(got):
		return fmt.Sprintf("order %d (%v): missing", len(got), want[len(got)].ID)
	case len(want) < len(got):
		return fmt.Sprintf("order %d (%v): unexpected", len(want), got[len(want)].ID)
	}
	return ""
}

// CompareSKUs returns the first difference between two SKUs, "" when they are equal.
func CompareSKUs(want, got stock.SKU) string { return comparePointers("SKU", &want, &got) }

func comparePointers[T comparable](name string, want, got *T) string {
	switch {
	case want == nil && got == nil:
		return ""
	case got == nil:
		return fmt.Sprintf("%s: want %+v, got none", name, *want)
	case want == nil:
		return fmt.Sprintf("%s: want none, got %+v", name, *got)
	case *want == *got:
		return ""
	}
	return firstField(name, reflect.ValueOf(*want), reflect.ValueOf(*got))
}

func compareDetails(want, got *stock.Detail) string {
	var a, b stock.Detail
	if want != nil {
		a = *want
	}
	if got != nil {
		b = *got
	}
	if !slices.Equal(a.Differs, b.Differs) {
		return fmt.Sprintf("Detail.Differs: want %q, got %q", a.Differs, b.Differs)
	}
	a.Differs, b.Differs = nil, nil
	return firstField("Detail", reflect.ValueOf(a), reflect.ValueOf(b))
}

// firstField names the first field in which two structs of one type differ, inside embedded structs too.
func firstField(name string, want, got reflect.Value) string {
	for i := range want.NumField() {
		field := want.Type().Field(i)
		a, b := want.Field(i), got.Field(i)
		switch {
		case field.Type.Kind() == reflect.Slice:
			continue // compared by the caller
		case a.Equal(b):
			continue
		case field.Anonymous:
			return firstField(name, a, b)
		}
		return fmt.Sprintf("%s.%s: want %v, got %v", name, field.Name, a, b)
	}
	return ""
}
