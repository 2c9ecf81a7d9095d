package api

// The examples of the document are one story: what a fresh node answers to these requests, one after the other, at noon (TestExamplesAreReal).
const (
	exampleRequest  = "01a200df-81e4-74f8-bd9f-114a0df800e2"
	exampleID       = "000nuB3kQb1"
	exampleSecondID = "000nuB3kQb2"

	exampleCreate = `{"stock":3,"hold_ttl_ms":120000,"limit_per_user":2,"max_qty":2}`
	exampleSKU    = `{"sku":"sneaker","stock":3,"available":3,"held":0,"sold":0,"mode":"hold","hold_ttl_ms":120000,"limit_per_user":2,"max_qty":2,` +
		`"opens_at":null,"closes_at":null,"frozen":false,"hot":false,"shard":1,"leader":"n1","as_of_index":2}`
	examplePage = `{"skus":[` + exampleSKU + `]}`

	examplePlace = `{"sku":"sneaker","user":"ann","qty":2,"client_ref":"basket 7"}`
	exampleOrder = `{"id":"000nuB3kQb1","sku":"sneaker","user":"ann","qty":2,"state":"held","mode":"hold","client_ref":"basket 7",` +
		`"expires_at":"2026-11-11T12:02:00.000Z","created_at":"2026-11-11T12:00:00.000Z","updated_at":"2026-11-11T12:00:00.000Z",` +
		`"as_of_index":4}`
	exampleOutcome      = `{"outcome":"accepted","order":` + exampleOrder + `}`
	exampleAvailability = `{"sku":"sneaker","state":"open","available":1,"held":2,"sold":0,"as_of_index":4,"server_time":"2026-11-11T12:00:00.000Z"}`
	exampleConfirm      = `{"payment_id":"pay-1"}`
	exampleConfirmed    = `{"id":"000nuB3kQb1","sku":"sneaker","user":"ann","qty":2,"state":"confirmed","mode":"hold","client_ref":"basket 7",` +
		`"payment_id":"pay-1","expires_at":"2026-11-11T12:02:00.000Z","created_at":"2026-11-11T12:00:00.000Z",` +
		`"updated_at":"2026-11-11T12:00:00.000Z","as_of_index":6}`
	exampleReturn   = `{"qty":1}`
	exampleReturned = `{"id":"000nuB3kQb1","sku":"sneaker","user":"ann","qty":2,"state":"confirmed","mode":"hold","client_ref":"basket 7",` +
		`"payment_id":"pay-1","expires_at":"2026-11-11T12:02:00.000Z","returned_qty":1,"created_at":"2026-11-11T12:00:00.000Z",` +
		`"updated_at":"2026-11-11T12:00:00.000Z","as_of_index":7}`

	exampleBatch   = `{"orders":[{"key":"cart-8","sku":"sneaker","user":"bob"},{"key":"cart-9","sku":"sneaker","user":"eve","qty":3}]}`
	exampleResults = `{"results":[{"status":201,"order":{"id":"000nuB3kQb2","sku":"sneaker","user":"bob","qty":1,"state":"held","mode":"hold",` +
		`"expires_at":"2026-11-11T12:02:00.000Z","created_at":"2026-11-11T12:00:00.000Z","updated_at":"2026-11-11T12:00:00.000Z",` +
		`"as_of_index":8}},{"status":422,"problem":{"type":"urn:holdfast:problem:qty_above_max","title":"Quantity above the maximum",` +
		`"status":422,"detail":"One order of this SKU takes fewer units.","code":"qty_above_max","retryable":false,` +
		`"request_id":"01a200df-81e4-74f8-bd9f-114a0df800e2","max_qty":2}}]}`
	exampleCancel    = `{"reason":"changed his mind"}`
	exampleCancelled = `{"id":"000nuB3kQb2","sku":"sneaker","user":"bob","qty":1,"state":"cancelled","mode":"hold",` +
		`"expires_at":"2026-11-11T12:02:00.000Z","created_at":"2026-11-11T12:00:00.000Z","updated_at":"2026-11-11T12:00:00.000Z",` +
		`"as_of_index":10}`
	exampleFenced = `{"outcome":"fenced"}`

	exampleUpdate  = `{"max_qty":1}`
	exampleUpdated = `{"sku":"sneaker","stock":3,"available":2,"held":0,"sold":1,"mode":"hold","hold_ttl_ms":120000,"limit_per_user":2,"max_qty":1,` +
		`"opens_at":null,"closes_at":null,"frozen":false,"hot":false,"shard":1,"leader":"n1","as_of_index":12}`
	exampleAdjust   = `{"delta":5,"reason":"found in the back"}`
	exampleAdjusted = `{"sku":"sneaker","stock":8,"available":7,"held":0,"sold":1,"mode":"hold","hold_ttl_ms":120000,"limit_per_user":2,"max_qty":1,` +
		`"opens_at":null,"closes_at":null,"frozen":false,"hot":false,"shard":1,"leader":"n1","as_of_index":13}`
	exampleFrozen = `{"sku":"sneaker","stock":8,"available":7,"held":0,"sold":1,"mode":"hold","hold_ttl_ms":120000,"limit_per_user":2,"max_qty":1,` +
		`"opens_at":null,"closes_at":null,"frozen":true,"hot":false,"shard":1,"leader":"n1","as_of_index":14}`
	exampleUnfrozen = `{"sku":"sneaker","stock":8,"available":7,"held":0,"sold":1,"mode":"hold","hold_ttl_ms":120000,"limit_per_user":2,"max_qty":1,` +
		`"opens_at":null,"closes_at":null,"frozen":false,"hot":false,"shard":1,"leader":"n1","as_of_index":15}`
)
