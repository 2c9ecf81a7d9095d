package stocktest_test

import (
	"reflect"
	"strings"
	"testing"

	"holdfast/stock"
	"holdfast/stock/stocktest"
)

// change gives a field another value.
func change(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{"x"}))
	default:
		t.Fatalf("a field of kind %v", v.Kind())
	}
}

// eachField calls visit with every settable field that v has, those inside other structs included, and puts the value back after it.
func eachField(t *testing.T, v reflect.Value, visit func(name string)) int {
	t.Helper()
	n := 0
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case !field.CanSet():
			continue
		case field.Kind() == reflect.Struct:
			n += eachField(t, field, visit)
			continue
		}
		was := reflect.New(field.Type()).Elem()
		was.Set(field)
		change(t, field)
		visit(name)
		field.Set(was)
		n++
	}
	return n
}

func TestCompareNoticesEveryField(t *testing.T) {
	full := func() stock.Outcome {
		return stock.Outcome{Code: stock.OK, Order: &stock.Order{Qty: 1}, SKU: &stock.SKU{Sold: 2}, Detail: &stock.Detail{Held: 3}}
	}
	want, got := full(), full()
	if d := stocktest.Compare(want, got); d != "" {
		t.Fatalf("equal, yet: %s", d)
	}
	for part, v := range map[string]reflect.Value{
		"Order.":  reflect.ValueOf(got.Order).Elem(),
		"SKU.":    reflect.ValueOf(got.SKU).Elem(),
		"Detail.": reflect.ValueOf(got.Detail).Elem(),
	} {
		n := eachField(t, v, func(name string) {
			for _, d := range []string{stocktest.Compare(want, got), stocktest.Compare(got, want)} {
				if !strings.HasPrefix(d, part) || part != "Order." && !strings.HasPrefix(d, part+name+":") {
					t.Errorf("%s%s changed: %q", part, name, d)
				}
			}
		})
		if n < 10 {
			t.Errorf("%s only %d fields seen", part, n)
		}
	}
	for _, wrong := range []func(*stock.Outcome){
		func(o *stock.Outcome) { o.Code = stock.SoldOut }, func(o *stock.Outcome) { o.Replayed = true },
		func(o *stock.Outcome) { o.Order = nil }, func(o *stock.Outcome) { o.SKU = nil }, func(o *stock.Outcome) { o.Detail = nil },
	} {
		other := full()
		wrong(&other)
		if stocktest.Compare(want, other) == "" || stocktest.Compare(other, want) == "" {
			t.Errorf("%+v passes for %+v", other, want)
		}
	}
}

func TestCompareDetails(t *testing.T) {
	none, zero := stock.Outcome{Code: stock.Fenced}, stock.Outcome{Code: stock.Fenced, Detail: &stock.Detail{Differs: []string{}}}
	if d := stocktest.Compare(none, zero) + stocktest.Compare(zero, none); d != "" {
		t.Errorf("no detail and a zero one: %s", d)
	}
	a := stock.Outcome{Detail: &stock.Detail{Differs: []string{"user", "qty"}}}
	b := stock.Outcome{Detail: &stock.Detail{Differs: []string{"qty", "user"}}}
	if stocktest.Compare(a, b) == "" {
		t.Error("the order of differs counts")
	}
}

func TestCompareOrdersNoticesEveryField(t *testing.T) {
	want := []stock.Order{{ID: stock.OrderID{Counter: 1}}, {ID: stock.OrderID{Counter: 2}}}
	got := []stock.Order{want[0], want[1]}
	if d := stocktest.CompareOrders(want, got); d != "" {
		t.Fatalf("equal, yet: %s", d)
	}
	eachField(t, reflect.ValueOf(&got[1]).Elem(), func(name string) {
		if d := stocktest.CompareOrders(want, got); !strings.HasPrefix(d, "order 1 ") {
			t.Errorf("%s changed: %q", name, d)
		}
	})
	if d := stocktest.CompareOrders(want, want[:1]); !strings.Contains(d, "missing") {
		t.Errorf("one is missing: %q", d)
	}
	if d := stocktest.CompareOrders(want[:1], want); !strings.Contains(d, "unexpected") {
		t.Errorf("one too many: %q", d)
	}
	if d := stocktest.CompareOrders(want, []stock.Order{want[1], want[0]}); d == "" {
		t.Error("the order of orders counts")
	}
}

func TestCompareSKUsNoticesEveryField(t *testing.T) {
	var want, got stock.SKU
	eachField(t, reflect.ValueOf(&got).Elem(), func(name string) {
		if d := stocktest.CompareSKUs(want, got); !strings.HasPrefix(d, "SKU."+name+":") {
			t.Errorf("%s changed: %q", name, d)
		}
	})
	if d := stocktest.CompareSKUs(want, got); d != "" {
		t.Errorf("equal, yet: %s", d)
	}
}
