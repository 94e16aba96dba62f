// SPDX-License-Identifier: Apache-2.0
// Attacks of every kind at once for SECONDS (60), with a good client every 100 ms, on each loop.
import { main } from '../tests/security/abuse.mjs';

process.exitCode = (await main(process.argv.slice(2))) ? 1 : 0;
