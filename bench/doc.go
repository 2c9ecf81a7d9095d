// Package bench measures a sale: it opens a target, plays a scenario against it, and holds it to its promises afterwards. It is the only source of
// published figures.
//
// It promises: a run probes the disk first; every result says which loop it was, what the generator itself could have asked, on what machine and
// commit it ran, and how durable and how often kept an acknowledged order was; every answer that any caller got, the warm-up's and those before an
// interruption included, is audited, and a result whose audit found something is ErrBroken, however fast it was.
//
// It assumes that nothing else of weight runs on the machine, and says nothing of machines other than it.
//
// The parts, each a package below this one: sale the vocabulary, load the loops, scenario what is asked, target and rival what is measured, audit the
// proof, probe disk and machine, result what was found, report, plot and curves how it is shown.
//
// Files: config.go what is measured and how; check.go what is refused; run.go a run; scene.go and open.go what it is made of; measured.go the
// result of it; threshold.go limits that a result must keep; verdict.go what is wrong with a result; errors.go. Of bench compare: compare.go
// rounds and turns; compare_parts.go who does what; compare_open.go and compare_http.go the contestants; compare_result.go what was found;
// compare_text.go the same for people.
package bench
