// SPDX-License-Identifier: Apache-2.0
/** A real weft server as a child process, in a data folder of its own. */
import { spawn, execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const binary = process.env.WEFT_BIN ?? fileURLToPath(new URL("../../../build/release/bin/weft", import.meta.url));

/** Starts a process and waits for its start line. */
function launch(data, port) {
  const child = spawn(binary, ["dev", "--listen", `127.0.0.1:${port}`, "--data", data], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => reject(new Error(`no start line within 15 s:\n${output}`)), 15_000);
    const read = (chunk) => {
      output += chunk;
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(output);
      if (found === null) return;
      clearTimeout(timer);
      resolve({ child, port: Number(found[1]) });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
  });
}

function ended(child) {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", resolve));
}

/** Starts a server; `stop` also removes its data. */
export async function startServer() {
  const data = await mkdtemp(join(tmpdir(), "weft-e2e-"));
  let running = await launch(data, 0);
  const server = {
    get port() {
      return running.port;
    },
    get url() {
      return `http://127.0.0.1:${running.port}`;
    },
    /** kill -9, with whatever was under way. */
    async kill() {
      running.child.kill("SIGKILL");
      await ended(running.child);
    },
    /** Starts again on the same port with the same data. */
    async restart() {
      running = await launch(data, running.port);
    },
    /** What `weft doc cat` prints. */
    cat(doc) {
      const url = `ws://127.0.0.1:${running.port}/ws`;
      return new Promise((resolve, reject) => {
        execFile(binary, ["doc", "cat", doc, "--url", url], { encoding: "utf8" }, (error, stdout) =>
          error === null ? resolve(stdout) : reject(error),
        );
      });
    },
    async stop() {
      running.child.kill("SIGTERM");
      await ended(running.child);
      await rm(data, { recursive: true, force: true });
    },
  };
  return server;
}
