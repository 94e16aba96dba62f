// SPDX-License-Identifier: Apache-2.0
/** Removes everything that the build makes. */
import { rmSync } from "node:fs";

for (const folder of ["packages/client/dist", "packages/codemirror/dist", "../../web/dist"]) {
  rmSync(new URL(`../${folder}`, import.meta.url), { recursive: true, force: true });
}
