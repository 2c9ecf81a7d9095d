package cli

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/api/client"
)

// JSON of the command line has times as the API writes them, and every other member as well.
func TestAnswersAsTheAPIWritesThem(t *testing.T) {
	at := time.Date(2026, 11, 22, 5, 0, 16, 730_000_000, time.FixedZone("", 3600))
	order := client.Order{ID: "1", SKU: "s", User: "u", Qty: 1, State: "held", Mode: "hold", ExpiresAt: &at, CreatedAt: at, UpdatedAt: at, AsOfIndex: 7}
	for want, v := range map[string]any{
		`{"key":"k","replayed":true,"id":"1","sku":"s","user":"u","qty":1,"state":"held","mode":"hold","as_of_index":7,` +
			`"expires_at":"2026-11-22T04:00:16.730Z","created_at":"2026-11-22T04:00:16.730Z","updated_at":"2026-11-22T04:00:16.730Z"}`: placed{
			Key: "k", Replayed: true, orderAnswer: answerOf(order)},
		`{"outcome":"fenced"}`: outcomeAnswer{Outcome: "fenced"},
		`{"skus":[{"sku":"s","stock":1,"available":0,"held":0,"sold":0,"mode":"","hold_ttl_ms":0,"limit_per_user":0,"max_qty":0,"frozen":false,` +
			`"hot":false,"shard":0,"leader":"","as_of_index":0,"opens_at":"2026-11-22T04:00:16.730Z","closes_at":null}]}`: skuPageAnswerOf(
			client.SKUPage{SKUs: []client.SKU{{SKU: "s", Stock: 1, OpensAt: &at}}}),
		`{"skus":[]}`: skuPageAnswerOf(client.SKUPage{}),
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
}
