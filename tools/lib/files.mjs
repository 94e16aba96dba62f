// SPDX-License-Identifier: Apache-2.0
// Lists files below a folder.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Every file below |folder| but those of installed packages, sorted; none when there is no such
 *  folder. */
export function walk(folder) {
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
        .filter((name) => name !== 'node_modules')
        .sort()
        .flatMap((name) => {
            const path = join(folder, name);
            return statSync(path).isDirectory() ? walk(path) : [path];
        });
}
