// SPDX-License-Identifier: Apache-2.0
// Runs one program with its output kept, a time limit, and an end to all it started.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const OUTPUT_MAX = 32 * 1024 * 1024;

const signalNumber = (name) => constants.signals[name] ?? 0;

function killGroup(pid) {
    try {
        process.kill(-pid, 'SIGKILL');
    } catch {
        // The whole group is gone already.
    }
}

/**
 * Resolves to { ok, code, signal, timedOut, output, ms }. The program leads its own process group,
 * which is killed when it ends or when |timeoutMs| is over: no test leaves a server behind.
 */
export function runProgram(command, args, { cwd, env, timeoutMs }) {
    return new Promise((resolve) => {
        const begin = Date.now();
        const chunks = [];
        let size = 0;
        let timedOut = false;
        const child = spawn(command, args, {
            cwd,
            env: { ...process.env, ...env },
            stdio: ['ignore', 'pipe', 'pipe'],
            detached: true,
        });
        const keep = (chunk) => {
            size += chunk.length;
            if (size <= OUTPUT_MAX) chunks.push(chunk);
        };
        child.stdout.on('data', keep);
        child.stderr.on('data', keep);
        const timer = setTimeout(() => {
            timedOut = true;
            killGroup(child.pid);
        }, timeoutMs);
        child.on('error', (error) => {
            clearTimeout(timer);
            const output = `${command}: ${error.message}\n`;
            resolve({ ok: false, code: null, signal: null, timedOut, output, ms: 0 });
        });
        // Whatever the program left running would keep the pipes open, so "close" might never come.
        child.on('exit', () => killGroup(child.pid));
        child.on('close', (code, signal) => {
            clearTimeout(timer);
            let output = Buffer.concat(chunks).toString('utf8');
            if (timedOut) output += `\n*** ended after ${timeoutMs / 1000} s\n`;
            else if (signal) output += `\n*** died of ${signal} (${signalNumber(signal)})\n`;
            else if (code !== 0) output += `\n*** exit status ${code}\n`;
            const ok = code === 0 && !timedOut;
            resolve({ ok, code, signal, timedOut, output, ms: Date.now() - begin });
        });
    });
}
