package meta

import (
	"reflect"
	"sort"

	"holdfast/cluster/placement"
	"holdfast/stock"
)

// oracle is the state machine once more, as plainly as can be: maps, loops and no encoding.
type oracle struct {
	now         stock.Time
	id          [16]byte
	epoch       uint16
	level       uint16
	version     uint64
	shardCount  uint32
	nodes       map[string]Node
	retired     []string
	shards      map[uint32]map[string]Replica
	before      map[uint32]map[string]Replica
	nextReplica uint64
	changes     []Change
	settings    Settings
	told        map[[2]string]told
}

type told struct {
	command any
	until   stock.Time
	outcome Outcome
}

func newOracle() *oracle {
	return &oracle{nodes: map[string]Node{}, nextReplica: 1, told: map[[2]string]told{}}
}

// bare returns a copy of a command without its head.
func bare(c Command) any {
	v := reflect.New(reflect.TypeOf(c).Elem())
	v.Elem().Set(reflect.ValueOf(c).Elem())
	*v.Interface().(Command).Head() = Keyed{}
	return v.Interface()
}

func (o *oracle) apply(clock stock.Time, c Command) Outcome {
	if clock > o.now {
		o.now = clock
	}
	for k, t := range o.told {
		if t.until <= o.now {
			delete(o.told, k)
		}
	}
	h := *c.Head()
	name := [2]string{h.Caller, h.Key}
	if t, ok := o.told[name]; ok {
		if !reflect.DeepEqual(t.command, bare(c)) {
			return Outcome{Code: KeyReused}
		}
		if h.Deadline > t.until && h.Deadline <= o.now+MaxDeadlineMS {
			t.until = h.Deadline
			o.told[name] = t
		}
		t.outcome.Replayed = true
		return t.outcome
	}
	switch {
	case h.Deadline <= o.now:
		return Outcome{Code: DeadlineExceeded}
	case h.Deadline > o.now+MaxDeadlineMS, h.Key == "":
		return Outcome{Code: InvalidValue}
	case len(o.told) >= MaxRemembered:
		return Outcome{Code: Overloaded}
	}
	out := o.decide(c)
	if _, ok := c.(*Report); !ok && out.Code == OK && !out.Replayed {
		o.version++
	}
	o.told[name] = told{bare(c), h.Deadline, out}
	return out
}

func (o *oracle) decide(c Command) Outcome {
	if c, ok := c.(*Create); ok {
		return o.create(c)
	}
	if o.id == [16]byte{} {
		return Outcome{Code: NotCreated}
	}
	switch c := c.(type) {
	case *AddNode:
		return o.add(c)
	case *UpdateNode, *Adopt:
		return o.announce(c)
	case *Begin:
		return o.begin(c)
	case *Report:
		return o.report(c)
	case *Finish:
		return o.finish(c)
	case *Abort:
		return o.abort(c)
	case *SetSettings:
		was := o.settings
		next := c.Patch.Over(was)
		if field, _ := next.Check(); field != "" {
			return Outcome{Code: InvalidValue}
		}
		if int(next.MaxNodes) < len(o.nodes) {
			return Outcome{Code: TooManyNodes}
		}
		o.settings = next
		return Outcome{Code: OK, Replayed: was == next}
	case *RaiseLevel:
		for _, n := range o.nodes {
			if n.Level < c.Level {
				return Outcome{Code: LevelTooLow}
			}
		}
		return raise(&o.level, c.Level)
	case *RaiseEpoch:
		return raise(&o.epoch, c.Epoch)
	}
	return Outcome{}
}

func raise(to *uint16, n uint16) Outcome {
	if n < *to {
		return Outcome{Code: InvalidValue}
	}
	same := n == *to
	*to = n
	return Outcome{Code: OK, Replayed: same}
}

func (o *oracle) create(c *Create) Outcome {
	if o.id != [16]byte{} {
		return Outcome{Code: AlreadyCreated}
	}
	if c.Shards == 0 || c.Shards > placement.MaxShards || c.ClusterID == [16]byte{} {
		return Outcome{Code: InvalidValue}
	}
	o.id, o.epoch, o.level, o.settings, o.nextReplica, o.shardCount = c.ClusterID, c.Epoch, c.Level, c.Settings, 2, c.Shards
	o.nodes[c.Node] = Node{c.Node, c.Incarnation, c.Addresses, c.Binary, Member}
	o.shards = map[uint32]map[string]Replica{}
	for s := uint32(0); s <= c.Shards; s++ {
		o.shards[s] = map[string]Replica{c.Node: {c.Node, 1, Voter}}
	}
	return Outcome{Code: OK}
}

func (o *oracle) gone(id string) bool {
	for _, r := range o.retired {
		if r == id {
			return true
		}
	}
	return false
}

func (o *oracle) taken(id, peer string) bool {
	for _, n := range o.nodes {
		if n.ID != id && n.Peer == peer {
			return true
		}
	}
	return false
}

func (o *oracle) add(c *AddNode) Outcome {
	n, known := o.nodes[c.Node]
	switch {
	case c.Incarnation == 0 || c.Peer == "" || c.Binary.Level == 0:
		return Outcome{Code: InvalidValue}
	case c.ClusterID != [16]byte{} && c.ClusterID != o.id:
		return Outcome{Code: OtherCluster}
	case o.gone(c.Node):
		return Outcome{Code: NodeRemoved}
	case known && n.Incarnation != c.Incarnation:
		return Outcome{Code: NodeExists}
	case known:
		return Outcome{Code: OK, Replayed: true}
	case c.Binary.Level < o.level:
		return Outcome{Code: LevelTooLow}
	case len(o.nodes) >= int(o.settings.MaxNodes):
		return Outcome{Code: TooManyNodes}
	case o.taken(c.Node, c.Peer):
		return Outcome{Code: DuplicateAddress}
	}
	o.nodes[c.Node] = Node{c.Node, c.Incarnation, c.Addresses, c.Binary, Joining}
	return Outcome{Code: OK}
}

// announce is UpdateNode and Adopt.
func (o *oracle) announce(c Command) Outcome {
	var id string
	var born uint64
	next := Node{}
	if u, ok := c.(*UpdateNode); ok {
		id, born = u.Node, u.Incarnation
		next = o.nodes[id]
		next.Addresses = u.Addresses
	} else {
		a := c.(*Adopt)
		id, born = a.Node, a.Incarnation
		next = o.nodes[id]
		next.Binary = a.Binary
	}
	n, known := o.nodes[id]
	switch {
	case !known && o.gone(id):
		return Outcome{Code: NodeRemoved}
	case !known:
		return Outcome{Code: UnknownNode}
	case n.Incarnation != born:
		return Outcome{Code: NodeExists}
	case next.Peer == "" || next.Level == 0:
		return Outcome{Code: InvalidValue}
	case o.taken(id, next.Peer):
		return Outcome{Code: DuplicateAddress}
	case next.Level < o.level:
		return Outcome{Code: LevelTooLow}
	}
	o.nodes[id] = next
	return Outcome{Code: OK, Replayed: next == n}
}

func (o *oracle) running() *Change {
	for i := range o.changes {
		if o.changes[i].State == Running {
			return &o.changes[i]
		}
	}
	return nil
}

func asMap(shards []Shard) map[uint32]map[string]Replica {
	out := map[uint32]map[string]Replica{}
	for _, s := range shards {
		out[s.ID] = map[string]Replica{}
		for _, r := range s.Replicas {
			out[s.ID][r.Node] = r
		}
	}
	return out
}

func (o *oracle) begin(c *Begin) Outcome {
	if r := o.running(); r != nil {
		return Outcome{Code: ChangeUnderWay}
	}
	if c.Base != o.version {
		return Outcome{Code: StalePlan}
	}
	if _, known := o.nodes[c.Node]; !known && (c.What == AddingNode || c.What == RemovingNode) {
		return Outcome{Code: UnknownNode}
	}
	if _, on := o.shards[c.Shard][c.Node]; !on && c.What == Rebuilding {
		return Outcome{Code: UnknownShard}
	}
	next := o.nextReplica
	for i, s := range c.Shards {
		if code := o.misplaced(s, i); code != 0 {
			return Outcome{Code: code}
		}
		for _, r := range s.Replicas {
			if c.What == RemovingNode && r.Node == c.Node {
				return Outcome{Code: NodeLeaving}
			}
			if was, ok := o.shards[s.ID][r.Node]; ok && was.Number == r.Number {
				continue
			}
			if r.Number != next {
				return Outcome{Code: InvalidValue}
			}
			next++
		}
	}
	if len(c.Shards) != int(o.shardCount)+1 {
		return Outcome{Code: InvalidValue}
	}
	if c.What == RemovingNode {
		n := o.nodes[c.Node]
		n.State = Leaving
		o.nodes[c.Node] = n
	}
	o.before, o.shards, o.nextReplica = o.shards, asMap(c.Shards), next
	id := ChangeID(1)
	if n := len(o.changes); n > 0 {
		id = o.changes[n-1].ID + 1
	}
	ch := Change{ID: id, Kind: c.What, Node: c.Node, Shard: c.Shard, State: Running}
	for _, s := range c.Steps {
		ch.Steps = append(ch.Steps, StepReport{s, StepOpen, ""})
	}
	o.changes = append(o.changes, ch)
	return Outcome{Code: OK, Change: id}
}

func (o *oracle) misplaced(s Shard, at int) Code {
	if int(s.ID) != at || at > int(o.shardCount) {
		return InvalidValue
	}
	voters := 0
	seen := []string{}
	for _, r := range s.Replicas {
		if _, known := o.nodes[r.Node]; !known {
			return UnknownNode
		}
		seen = append(seen, r.Node)
		if r.Role == Voter {
			voters++
		}
	}
	if !sort.StringsAreSorted(seen) || len(asMap([]Shard{s})[s.ID]) != len(seen) {
		return InvalidValue
	}
	if voters == 0 {
		return LastVoter
	}
	return 0
}

func (o *oracle) find(id ChangeID, as ChangeState) (*Change, Outcome) {
	for i := range o.changes {
		// Only the last 16 that ended are known.
		if c := &o.changes[i]; c.ID == id && (c.State == Running || len(o.changes)-i <= keptChanges) {
			switch c.State {
			case Running:
				return c, Outcome{Code: OK, Change: id}
			case as:
				return nil, Outcome{Code: OK, Change: id, Replayed: true}
			}
			return nil, Outcome{Code: ChangeEnded}
		}
	}
	return nil, Outcome{Code: UnknownChange}
}

func (o *oracle) report(c *Report) Outcome {
	ch, out := o.find(c.Change, 0)
	if ch == nil {
		return out
	}
	for i := range ch.Steps {
		if at := &ch.Steps[i]; at.Step == c.Step {
			next := StepReport{c.Step, c.State, c.Reason}
			out.Replayed = at.State == StepDone || *at == next
			if !out.Replayed {
				*at = next
			}
			return out
		}
	}
	ch.Steps = append(ch.Steps, StepReport{c.Step, c.State, c.Reason})
	return out
}

func (o *oracle) finish(c *Finish) Outcome {
	ch, out := o.find(c.Change, Completed)
	if ch == nil {
		return out
	}
	ch.State = Completed
	for i := range ch.Steps {
		if ch.Steps[i].State != StepFailed {
			ch.Steps[i].State = StepDone
		}
	}
	if ch.Kind == RemovingNode {
		delete(o.nodes, ch.Node)
		o.retired = append(o.retired, ch.Node)
	}
	o.seat()
	return out
}

func (o *oracle) seat() {
	for id, n := range o.nodes {
		if _, follows := o.shards[0][id]; follows && n.State == Joining {
			n.State = Member
			o.nodes[id] = n
		}
	}
}

func (o *oracle) abort(c *Abort) Outcome {
	ch, out := o.find(c.Change, Aborted)
	if ch == nil {
		return out
	}
	if len(c.Shards) != int(o.shardCount)+1 {
		return Outcome{Code: InvalidValue}
	}
	for i, s := range c.Shards {
		if code := o.misplaced(s, i); code != 0 {
			return Outcome{Code: code}
		}
		for _, r := range s.Replicas {
			if o.before[s.ID][r.Node].Number != r.Number && o.shards[s.ID][r.Node].Number != r.Number {
				return Outcome{Code: InvalidValue}
			}
		}
	}
	o.shards = asMap(c.Shards)
	if n, ok := o.nodes[ch.Node]; ok && n.State == Leaving {
		n.State = Member
		o.nodes[ch.Node] = n
	}
	ch.State, ch.Reason = Aborted, c.Reason
	o.seat()
	return out
}
