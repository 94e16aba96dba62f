// SPDX-License-Identifier: Apache-2.0
// Whether the kernel lets this user have an io_uring with what weft's loop needs. The answer comes
// from tests/lib/probe/uring_probe.c, which knows nothing of weft's own code: a loop that wrongly calls
// io_uring unavailable must fail its tests, not have them left out.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { runProgram } from './process.mjs';

export async function probeUring(build) {
    const path = join(build, 'tests', 'uring_probe');
    if (!existsSync(path)) throw new Error(`${path} was not built`);
    const result = await runProgram(path, [], { cwd: build, timeoutMs: 10_000 });
    return { available: result.ok, reason: result.output.trim().split('\n')[0] };
}
