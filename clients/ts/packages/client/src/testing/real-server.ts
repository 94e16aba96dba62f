// SPDX-License-Identifier: Apache-2.0
/** The real server as a child process; its binary is named by WEFT_BIN. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The binary: WEFT_BIN, or the release build of this repository. */
export const weftBinary =
  process.env["WEFT_BIN"] ??
  fileURLToPath(new URL("../../../../../../build/release/bin/weft", import.meta.url));

/** A running server. */
export class RealServer {
  #child: ChildProcess | null = null;
  #port = 0;

  private constructor(
    readonly data: string,
    private readonly args: readonly string[],
  ) {}

  /** Starts a server with an empty data folder. */
  static async start(args: readonly string[] = []): Promise<RealServer> {
    const server = new RealServer(await mkdtemp(join(tmpdir(), "weft-ts-")), args);
    await server.restart();
    return server;
  }

  /** Where clients connect. */
  get url(): string {
    return `ws://127.0.0.1:${this.#port}/ws`;
  }

  /** Starts again, on the same port with the same data. */
  async restart(): Promise<void> {
    const child = spawn(weftBinary, ["dev", "--listen", `127.0.0.1:${this.#port}`, "--data", this.data, ...this.args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    this.#port = await new Promise<number>((resolve, reject) => {
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(output);
        if (found !== null) resolve(Number(found[1]));
      });
      child.on("error", reject);
      child.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${output}`)));
    });
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends the server politely: it drains. */
  async drain(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends the server politely and removes its data. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    await rm(this.data, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
