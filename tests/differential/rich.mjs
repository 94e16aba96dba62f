// SPDX-License-Identifier: Apache-2.0
// Compares `weft ot --type rich` with the published packages, by a set of cases made of them.
//
//   node tests/differential/rich.mjs FOLDER [--weft build/release/bin/weft]
//
// FOLDER holds delta.*.jsonl, or rich.*.jsonl, lines as in tests/vectors/ot. Prints what differs, and
// fails then. Known differences are decisions (docs/protocol/documents-rich.md): what the reference
// lets pass may be refused, and attributes that a composed operation on an embed takes away stay in
// it, where the reference forgets them.
import { spawnSync } from 'node:child_process'
import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { weft: { type: 'string', default: 'build/release/bin/weft' } },
})
if (positionals.length !== 1) {
  console.error('usage: node tests/differential/rich.mjs FOLDER [--weft FILE]')
  process.exit(2)
}

const lines = name => {
  const file = ['delta', 'rich'].map(kind => join(positionals[0], `${kind}.${name}.jsonl`)).find(existsSync)
  if (!file) return []
  return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line))
}

function equal(a, b) {
  if (a === b) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  const keys = Object.keys(a)
  return Array.isArray(a) === Array.isArray(b) && keys.length === Object.keys(b).length &&
    keys.every(key => Object.hasOwn(b, key) && equal(a[key], b[key]))
}

// Questions, each with a function that judges the answer.
const asked = []
const ask = (question, right) => asked.push({ question, right })
const gives = want => answer => !answer.error && equal(answer.result, want)
// Operations are asked as arrays, so they are answered as such.
const givesOps = gives
const refused = answer => Boolean(answer.error)

// x.transform(y, true) of the reference makes y as it is behind x, which goes first: to us the right.
function askTransform(line) {
  for (const [x, y] of [['a', 'b'], ['b', 'a']]) {
    for (const first of [true, false]) {
      const want = line[`${x}.transform(${y},${first})`]
      if (want) ask({ f: 'transform', a: line[y], b: line[x], side: first ? 'right' : 'left' }, givesOps(want))
    }
  }
}

const forgetsRemovals = op =>
  op.map(part => {
    if (typeof part.retain !== 'object' || !part.attributes) return part
    const kept = Object.entries(part.attributes).filter(([, value]) => value !== null)
    const { attributes, ...rest } = part
    return kept.length ? { ...rest, attributes: Object.fromEntries(kept) } : rest
  })

for (const { doc, op, result } of lines('apply')) ask({ f: 'apply', doc, op }, gives(result))
for (const { doc, a, b, ab, result } of lines('compose')) {
  ask({ f: 'compose', a, b }, givesOps(ab))
  ask({ f: 'apply', doc, op: ab }, gives(result))
}
for (const line of lines('transform')) askTransform(line)
for (const { doc, op, inverse, after } of lines('invert')) {
  ask({ f: 'invert', doc, op }, givesOps(inverse))
  ask({ f: 'apply', doc: after, op: inverse }, gives(doc))
}
for (const line of lines('embed')) {
  const { doc, a, c } = line
  ask({ f: 'apply', doc, op: a }, gives(line.after_a))
  ask({ f: 'apply', doc: line.after_a, op: c }, gives(line.after_ac))
  ask({ f: 'invert', doc, op: a }, givesOps(line['a.invert(doc)']))
  const composed = line['a.compose(c)']
  if (composed)
    ask({ f: 'compose', a, b: c }, answer =>
      !answer.error && equal(forgetsRemovals(answer.result), forgetsRemovals(composed)))
  askTransform(line)
}
for (const { op, index, result, resultPriority } of lines('position')) {
  ask({ f: 'position', op, pos: index, side: 'right' }, gives(result))
  ask({ f: 'position', op, pos: index, side: 'left' }, gives(resultPriority))
}
// An operation made one version ago meets one committed since.
for (const { ops } of lines('session'))
  for (const [i, { v, op, committed }] of ops.entries())
    if (v === i - 1)
      ask({ f: 'transform', a: op, b: ops[v].committed, side: 'right' }, givesOps(committed))
for (const { doc, op } of lines('reject')) ask({ f: 'apply', doc, op }, refused)
for (const { doc, op, refResult } of lines('lenient')) {
  // Attributes of insertions that are null or none at all are left out, and so they are not in the document.
  const tidy = (refResult ?? []).map(({ attributes, ...part }) => {
    const kept = Object.entries(attributes ?? {}).filter(([, value]) => value !== null)
    return kept.length ? { ...part, attributes: Object.fromEntries(kept) } : part
  })
  const joined = tidy.reduce((all, part) => {
    const last = all.at(-1)
    if (last && typeof last.insert === 'string' && typeof part.insert === 'string' &&
        equal(last.attributes ?? {}, part.attributes ?? {}))
      return [...all.slice(0, -1), { ...last, insert: last.insert + part.insert }]
    return [...all, part]
  }, [])
  ask({ f: 'apply', doc, op }, answer => answer.error || gives(joined)(answer))
}

const input = asked.map(({ question }) => JSON.stringify(question) + '\n').join('')
const run = spawnSync(values.weft, ['ot', '--type', 'rich'], { input, maxBuffer: 2 ** 31 - 1 })
const answers = String(run.stdout).split('\n').filter(Boolean)
let wrong = asked.length - answers.length
for (const [i, text] of answers.entries()) {
  if (asked[i].right(JSON.parse(text))) continue
  wrong++
  console.log(JSON.stringify(asked[i].question), '\n  ', text)
}
console.log(`${asked.length} cases, ${wrong} wrong`)
process.exit(wrong || run.status !== 0 || asked.length === 0 ? 1 : 0)
