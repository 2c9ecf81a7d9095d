package postgres

// tables are made in a schema of the target's own. A fence is a row that sells nothing.
const tables = `
create table skus(sku text primary key, stock bigint not null, available bigint not null check (available >= 0), one_per_user boolean not null)
	with (fillfactor = 50);
create table orders(sku text, idem_key text, user_id text not null, qty bigint not null, one_per_user boolean not null, fenced boolean not null default false,
	primary key (sku, idem_key));
create unique index one_per_user on orders(sku, user_id) where one_per_user;`

// The statements of a transaction, step by step. The insert comes first: the SKU's row, for which all wait, is then held from the update to the commit only.
const (
	insertOrder = `insert into orders(sku, idem_key, user_id, qty, one_per_user)
select sku, $2, $3, $4, one_per_user from skus where sku = $1 and not (one_per_user and $4 > 1::bigint) on conflict do nothing`
	takeStock = `update skus set available = available - $2 where sku = $1 and available >= $2`
)

// placeAtOnce is the same as one statement. Where it took no stock it inserted nothing; a key or user that is there makes it fail as a whole.
const placeAtOnce = `with taken as (
	update skus set available = available - $4 where sku = $1 and available >= $4 and not (one_per_user and $4 > 1::bigint)
		and not exists (select from orders where sku = $1 and idem_key = $2)
		and not exists (select from orders where sku = $1 and user_id = $3 and one_per_user)
	returning one_per_user)
insert into orders(sku, idem_key, user_id, qty, one_per_user) select $1, $2, $3, $4, one_per_user from taken`

// explain is asked when nothing was sold: is the key this order's, is it fenced, is the user over the limit, what is left.
const explain = `select o.user_id = $3 and o.qty = $4, o.fenced,
	s.one_per_user and $4 > 1::bigint or exists (select from orders where sku = $1 and user_id = $3 and one_per_user), s.available
from (values (1)) asked left join skus s on s.sku = $1 left join orders o on o.sku = $1 and o.idem_key = $2`

const (
	fence = `insert into orders(sku, idem_key, user_id, qty, one_per_user, fenced) values ($1, $2, '', 0, false, true) on conflict do nothing`
	known = `select user_id = $3 and qty = $4, fenced from orders where sku = $1 and idem_key = $2`

	createSKU = `insert into skus(sku, stock, available, one_per_user) values ($1, $2, $2, $3)`
	counters  = `select stock, available from skus where sku = $1`
	orders    = `select idem_key, user_id, qty from orders where sku = $1 and not fenced`
)
