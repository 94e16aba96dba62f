// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = new URL("../", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as {
  exports: Record<string, string | Record<string, string>>;
  imports: Record<string, Record<string, string>>;
  dependencies?: object;
};

test("every file that the package promises exists, types first", () => {
  for (const entry of [...Object.values(manifest.exports), ...Object.values(manifest.imports)]) {
    const targets = typeof entry === "string" ? [entry] : Object.values(entry);
    for (const target of targets) assert.equal(existsSync(fileURLToPath(new URL(target, folder))), true, target);
    if (typeof entry !== "string" && "types" in entry) assert.equal(Object.keys(entry)[0], "types");
  }
});

test("the package can be imported by its names and has no runtime dependencies", async () => {
  const core = await import("@weft/client");
  const types = await import("@weft/client/text");
  assert.equal(typeof core.WeftClient, "function");
  assert.equal(types.text.name, "text");
  assert.equal(manifest.dependencies, undefined);
});
