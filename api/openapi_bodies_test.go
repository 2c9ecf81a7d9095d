package api

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decoders are what takes each body.
var decoders = map[string]func(b []byte) *problem{
	"PlaceOrder": func(b []byte) *problem { return decodeOrder(b, new(orderBody)) },
	"BatchItem": func(b []byte) *problem {
		items, p := decodeBatch([]byte(`{"orders":[`+string(b)+`]}`), 1)
		if p == nil {
			p = items[0].bad
		}
		return p
	},
	"PlaceBatch": func(b []byte) *problem {
		items, p := decodeBatch(b, DefaultMaxBatchItems)
		for i := range items {
			if p == nil {
				p = items[i].bad
			}
		}
		return p
	},
	"ConfirmOrder":   func(b []byte) *problem { _, p := decodeConfirm(b); return p },
	"CancelOrder":    func(b []byte) *problem { _, p := decodeCancel(b); return p },
	"ReturnOrder":    func(b []byte) *problem { _, _, p := decodeReturn(b); return p },
	"Nothing":        decodeNothing,
	"CreateSku":      func(b []byte) *problem { _, p := decodeCreate(b, "x"); return p },
	"UpdateSku":      func(b []byte) *problem { _, p := decodeUpdate(b); return p },
	"AdjustSku":      func(b []byte) *problem { _, _, p := decodeAdjust(b); return p },
	"AddNode":        func(b []byte) *problem { _, p := decodeAddNode(b); return p },
	"TransferShard":  func(b []byte) *problem { _, p := decodeOneText(b, transferShape); return p },
	"RebuildReplica": func(b []byte) *problem { _, p := decodeOneText(b, rebuildShape); return p },
	"UpdateSettings": func(b []byte) *problem { _, p := decodeSettings(b); return p },
}

// beyond are the reasons that no schema can state: that a member stands twice, how a number or a text is written, which of two times is first, and
// that a time lies after 1970.
func beyond(p *problem) bool {
	if p.code == duplicateField {
		return true
	}
	if p.detail == nil {
		return false
	}
	switch p.detail.Reason {
	case "must be a plain integer", "must be after opens_at", "is not valid UTF-8":
		return true
	}
	return strings.HasSuffix(p.detail.Reason, "after 1970")
}

// disagree says where decoder and document differ about a body.
func disagree(j *judge, name, body string) string {
	p := decoders[name]([]byte(body))
	err := j.validJSON("#/components/schemas/"+name, body)
	switch {
	case p == nil && err != nil:
		return "the decoder takes what the document refuses: " + err.Error()
	case p != nil && err == nil && !beyond(p):
		return "the document allows what the decoder refuses with " + rowOf(p.code).name
	}
	return ""
}

// Decoder and document agree about bodies: the right ones, and each kind of wrong one.
func TestBodiesAgree(t *testing.T) {
	j := judgeOf(t, newShop(t).server.admin)
	for name := range decoders {
		if bodyNamed(name) == nil {
			t.Errorf("%s is no body", name)
		}
	}
	for _, sh := range shapes {
		right := rightBodies[sh.name]
		if sh == batchItemShape {
			right = `{"key":"b","sku":"shoe","user":"bob"}`
		}
		for _, body := range []string{right, `{}`, `[]`, `null`, `7`, `"x"`, `{"nonesuch":1}`, strings.Replace(right, "{", `{"SKU":"x",`, 1)} {
			if text := disagree(j, sh.name, strings.Replace(body, ",}", "}", 1)); text != "" {
				t.Errorf("%s %s: %s", sh.name, body, text)
			}
		}
		if p := decoders[sh.name]([]byte(right)); p != nil {
			t.Errorf("%s %s: %v", sh.name, right, rowOf(p.code).name)
		}
	}
	for _, row := range [][2]string{
		{"PlaceBatch", `{"orders":[]}`}, {"PlaceBatch", `{"orders":{}}`}, {"PlaceBatch", `{"orders":[7]}`},
		{"PlaceBatch", `{"orders":[{"key":"a","sku":"s","user":"u"},{"key":"a b","sku":"s","user":"u"}]}`},
		{"PlaceBatch", `{"orders":[` + strings.Repeat(`{"key":"a","sku":"s","user":"u"},`, 8192) + `{"key":"a","sku":"s","user":"u"}]}`},
		{"UpdateSku", `{"stock":5}`}, {"UpdateSku", `{"mode":"hold"}`}, {"UpdateSku", `{"sku":"x"}`},
		{"CreateSku", `{"stock":1,"opens_at":"2026-01-02T00:00:00Z","closes_at":"2026-01-01T00:00:00Z"}`},
	} {
		if text := disagree(j, row[0], row[1]); text != "" {
			t.Errorf("%s %.200s: %s", row[0], row[1], text)
		}
	}
}

// A document that says something else about a member is found: each of its limits moved by one.
func TestBodiesDisagree(t *testing.T) {
	for name, row := range map[string]struct{ shape, from, to, body string }{
		"a longer text":  {"ConfirmOrder", `"x-max-bytes":128`, `"x-max-bytes":129`, `{"payment_id":"` + strings.Repeat("ä", 64) + `x"}`},
		"a shorter text": {"CancelOrder", `"x-max-bytes":256`, `"x-max-bytes":255`, `{"reason":"` + long(256) + `"}`},
		"a larger sum":   {"CreateSku", `"maximum":9007199254740991`, `"maximum":9007199254740992`, `{"stock":9007199254740992}`},
		"another mode":   {"CreateSku", `"on_payment"`, `"on_credit"`, `{"stock":1,"mode":"on_payment"}`},
		"not required":   {"AdjustSku", `"required":["delta","reason"]`, `"required":["delta"]`, `{"delta":1}`},
		"another name":   {"ReturnOrder", `"restock"`, `"put_back"`, `{"restock":true}`},
		"open":           {"Nothing", `"additionalProperties":false`, `"additionalProperties":true`, `{"x":1}`},
	} {
		s := newShop(t)
		text := strings.ReplaceAll(string(s.server.admin.contract.json), row.from, row.to)
		if right := judgeOf(t, s.server.admin); disagree(right, row.shape, row.body) != "" {
			t.Errorf("%s: they disagree already", name)
		}
		if disagree(newJudge(t, []byte(text)), row.shape, row.body) == "" {
			t.Errorf("%s: not found", name)
		}
	}
}

// Decoder and document agree about whatever one can think of.
func TestBodiesAgreeAtRandom(t *testing.T) {
	j := judgeOf(t, newShop(t).server.admin)
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		sh := shapes[rapid.IntRange(0, len(shapes)-1).Draw(t, "shape")]
		body := drawBody(t, sh)
		if text := disagree(j, sh.name, body); text != "" {
			t.Fatalf("%s %s: %s", sh.name, body, text)
		}
		if decoders[sh.name]([]byte(body)) == nil {
			accepted++
		} else {
			refused++
		}
	})
	if accepted < 10 || refused < 10 {
		t.Errorf("%d bodies were accepted and %d refused", accepted, refused)
	}
}

func drawBody(t *rapid.T, sh *shape) string {
	var members []string
	for i := range sh.members {
		m := &sh.members[i]
		if m.fixed || !m.required && rapid.Bool().Draw(t, "absent") || m.required && rapid.IntRange(0, 19).Draw(t, "forgotten") == 0 {
			continue
		}
		members = append(members, strconv.Quote(m.name)+":"+drawValue(t, m))
	}
	if rapid.IntRange(0, 19).Draw(t, "unknown") == 0 {
		members = append(members, `"nonesuch":1`)
	}
	return "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
}

func drawValue(t *rapid.T, m *member) string {
	if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
		return rapid.SampledFrom([]string{"null", `"x"`, "7", "true", "[]", "{}", "1.5", "1.0", "1e2", "-0"}).Draw(t, "value")
	}
	switch m.kind {
	case anInteger:
		return rapid.OneOf(rapid.Just("1"), rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
			rapid.SampledFrom([]string{"0", "-1", near(m.low, -1), near(m.low, 0), near(m.high, 0), near(m.high, 1)})).Draw(t, "integer")
	case aBoolean:
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "boolean")
	case aMode:
		return rapid.SampledFrom([]string{`"hold"`, `"on_order"`, `"on_payment"`, `"Hold"`, `""`}).Draw(t, "mode")
	case aMoment:
		return quoted(rapid.SampledFrom([]string{"2026-11-11T12:00:00Z", "2026-11-11T12:00:00.5+08:00", "2026-11-12T00:00:00.123Z", "2026-11-11t12:00:00Z",
			"2026-11-11T12:00:00.1234Z", "2026-02-30T12:00:00Z", "1969-01-01T00:00:00Z", "2026-11-11 12:00:00Z", "2026-11-11T12:00:00", "", "now",
			"2026-11-11T24:00:00Z", "2026-11-11T12:00:00+24:00", "2026-11-11T12:00:00-10:60", "2026-11-11T12:00:00,5Z",
			"2026-11-11T12:00:00,1234Z"}).Draw(t, "moment"))
	case aList:
		n := rapid.IntRange(0, 3).Draw(t, "items")
		items := make([]string, n)
		for i := range items {
			items[i] = drawBody(t, batchItemShape)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return quoted(drawText(t, m))
}

// drawText draws a text that is right, or of a length near the bounds, in letters of one to four bytes and others that no text may have.
func drawText(t *rapid.T, m *member) string {
	if rapid.Bool().Draw(t, "plain") {
		return rapid.StringMatching(`[a-z/%. ]{1,8}`).Draw(t, "text")
	}
	letter := rapid.SampledFrom([]string{"x", "é", "€", "😀", "\x00", "\x1f", "\x7f", "\u0085", "\u00a0", ".", " ", "~", "!"}).Draw(t, "letter")
	n := rapid.SampledFrom([]int{0, 1, 2, int(m.high)/len(letter) - 1, int(m.high) / len(letter), int(m.high)/len(letter) + 1}).Draw(t, "letters")
	return strings.Repeat(letter, n)
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// near is a number and a bit, beyond int64 too.
func near(n, more int64) string {
	return new(big.Int).Add(big.NewInt(n), big.NewInt(more)).String()
}
