// SPDX-License-Identifier: Apache-2.0
/** House rules that the compiler does not know: size of files, licence line, no `any`, documented exports. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folders = ["clients/ts/packages", "clients/ts/scripts", "web/src", "tests/e2e"];
const mostLines = 300;
const problems = [];

function walk(folder) {
  return readdirSync(folder).flatMap((name) => {
    if (name === "node_modules" || name === "dist") return [];
    const path = join(folder, name);
    return statSync(path).isDirectory() ? walk(path) : [path];
  });
}

/** Exported declarations, and members of exported classes, whose line before is no end of a comment. */
function undocumented(lines) {
  return lines.flatMap((line, index) => {
    const declares = /^export (default )?(abstract )?(async )?(class|function|interface|type|const|enum) \w/.test(line);
    const documented = /\*\/\s*$/.test(lines[index - 1] ?? "");
    return declares && !documented ? [index + 1] : [];
  });
}

for (const path of folders.flatMap((folder) => walk(join(root, folder)))) {
  if (!/\.(ts|mjs)$/.test(path)) continue;
  const name = relative(root, path);
  const source = readFileSync(path, "utf8");
  const lines = source.trimEnd().split("\n");
  const isTest = /\.test\.|\/testing\//.test(name);
  if (lines.length > mostLines && !isTest) problems.push(`${name}: ${lines.length} lines, at most ${mostLines}`);
  if (lines[0] !== "// SPDX-License-Identifier: Apache-2.0") problems.push(`${name}: the licence line is missing`);
  if (path.endsWith(".ts") && /(:|as|<) ?any\b(?!\w)/.test(source.replace(/\/\*[^]*?\*\/|\/\/.*/g, ""))) problems.push(`${name}: any`);
  if (!isTest) for (const line of undocumented(lines)) problems.push(`${name}:${line}: an export without a doc comment`);
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
