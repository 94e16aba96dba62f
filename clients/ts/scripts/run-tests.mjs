// SPDX-License-Identifier: Apache-2.0
/**
 * Runs one suite of tests, one file after the other, and prints TAP.
 * Usage: node scripts/run-tests.mjs unit|server|e2e [PART_OF_FILE_NAME …]
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "node:test";
import { tap } from "node:test/reporters";

const root = fileURLToPath(new URL("..", import.meta.url));
const [suite, ...parts] = process.argv.slice(2);
const suites = {
  unit: { under: ["packages/client/dist", "packages/codemirror/dist"], ends: ".test.js", not: ".server.test.js" },
  server: { under: ["packages/client/dist", "packages/codemirror/dist"], ends: ".server.test.js" },
  e2e: { under: ["../../tests/e2e"], ends: ".test.mjs" },
};
const chosen = suites[suite];
if (chosen === undefined) {
  console.error("usage: run-tests.mjs unit|server|e2e [PART_OF_FILE_NAME …]");
  process.exit(2);
}

function find(folder) {
  return readdirSync(folder).sort().flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === "node_modules" ? [] : find(path);
    const fits = name.endsWith(chosen.ends) && !(chosen.not && name.endsWith(chosen.not));
    return fits && (parts.length === 0 || parts.some((part) => path.includes(part))) ? [path] : [];
  });
}

const folders = chosen.under.map((folder) => resolve(root, folder));
const files = folders.filter((folder) => existsSync(folder)).flatMap(find);
if (files.length === 0) {
  console.error("no test files found");
  process.exit(2);
}
// One file after the other, one summary: parallel files would disturb each other's timing.
const events = run({ files, concurrency: 1 });
events.on("test:fail", () => {
  process.exitCode = 1;
});
events.compose(tap).pipe(process.stdout);
