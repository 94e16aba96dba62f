// SPDX-License-Identifier: Apache-2.0
// Compares `weft ot --type json` with the published package, by a set of cases made of it.
//
//   node tests/differential/json.mjs FOLDER [--weft build/release/bin/weft]
//
// FOLDER holds json1.*.jsonl, lines as in tests/vectors/ot. Prints what differs, and fails then.
// Known differences are decisions (docs/protocol/documents-json.md): of the lines that the
// reference refuses only keys called __proto__ pass, and what it lets pass may be refused.
import { spawnSync } from 'node:child_process'
import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { weft: { type: 'string', default: 'build/release/bin/weft' } },
})
if (positionals.length !== 1) {
  console.error('usage: node tests/differential/json.mjs FOLDER [--weft FILE]')
  process.exit(2)
}

const lines = name => {
  const file = join(positionals[0], `json1.${name}.jsonl`)
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line))
}
const document = value => (value?.undefined === true ? null : value)

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

for (const { doc, op, result, normalized } of lines('apply')) {
  ask({ f: 'apply', doc, op }, gives(document(result)))
  ask({ f: 'normalize', op }, gives(normalized))
}
for (const { f, a, b, ab } of [...lines('compose'), ...lines('float-drift')])
  if (f === 'compose') ask({ f, a, b }, gives(ab))
for (const name of ['transform', 'transform-conflict', 'setnull', 'float-drift']) {
  for (const line of lines(name)) {
    if (line.f !== 'transform') continue
    const { a, b } = line
    for (const [key, op, other] of [['a_left', a, b], ['b_right', b, a], ['a_right', a, b], ['b_left', b, a]]) {
      if (!(key in line)) continue
      const conflict = line.conflicts?.[key]
      ask({ f: 'transform', a: op, b: other, side: key.slice(2) }, answer =>
        gives(line[key])(answer) && (name === 'setnull' || equal(answer.conflicts?.[0], conflict)))
    }
  }
}
for (const { doc, op, inverse } of lines('invert')) ask({ f: 'invert', doc, op }, gives(inverse))
for (const { op, path, result } of lines('position')) ask({ f: 'position', op, path }, gives(result))
for (const { f, doc, op } of lines('reject')) {
  const ordinary = Array.isArray(op) && op[0] === '__proto__'
  ask(f === 'apply' ? { f, doc, op } : { f: 'check', op }, answer => Boolean(answer.error) !== ordinary)
}
for (const { f, doc, op, refResult } of lines('lenient'))
  if (f === 'apply') ask({ f, doc, op }, answer => answer.error || gives(document(refResult))(answer))

const input = asked.map(({ question }) => JSON.stringify(question) + '\n').join('')
const run = spawnSync(values.weft, ['ot', '--type', 'json'], { input, maxBuffer: 2 ** 31 - 1 })
const answers = String(run.stdout).split('\n').filter(Boolean)
let wrong = asked.length - answers.length
for (const [i, text] of answers.entries()) {
  if (asked[i].right(JSON.parse(text))) continue
  wrong++
  console.log(JSON.stringify(asked[i].question), '\n  ', text)
}
console.log(`${asked.length} cases, ${wrong} wrong`)
process.exit(wrong || run.status !== 0 || asked.length === 0 ? 1 : 0)
