// SPDX-License-Identifier: Apache-2.0
/** Bundles the playground into web/dist: index.html, app.js, app.css, icon.svg. Nothing inline. */
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const web = join(root, "../../web");
const out = join(web, "dist");

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: { app: join(web, "src/main.ts") },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "eof",
  nodePaths: [join(root, "node_modules")],
  tsconfigRaw: { compilerOptions: { target: "es2022", verbatimModuleSyntax: true } },
  logLevel: "warning",
});
await build({ entryPoints: { app: join(web, "src/app.css") }, outdir: out, minify: true, charset: "utf8", logLevel: "warning" });
for (const name of ["index.html", "icon.svg"]) copyFileSync(join(web, "src", name), join(out, name));
