// SPDX-License-Identifier: Apache-2.0
/** A TCP proxy that cuts connections at random bytes, chops what it passes on, and delays it. */
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** How badly connections are treated. */
export interface CutProxyOptions {
  /** A connection is cut after up to so many bytes, both ways. */
  readonly cutBytes: number;
  /** Pieces are up to so large. */
  readonly chunkBytes: number;
  /** A number from 0 included to 1 excluded. */
  readonly random: () => number;
}

/** Listens on a free port of this machine. */
export class CutProxy {
  /** Connections cut so far. */
  cuts = 0;
  /** Whether connections are left whole from now on. */
  calm = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly target: number,
    private readonly options: CutProxyOptions,
  ) {
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Passes connections on to a port of this machine. */
  static async start(target: number, options: CutProxyOptions): Promise<CutProxy> {
    const proxy = new CutProxy(target, options);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The port it listens on. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  #accept(client: Socket): void {
    const server = createConnection(this.target, "127.0.0.1");
    let left = this.calm ? Infinity : 1 + this.options.random() * this.options.cutBytes;
    const end = (): void => {
      for (const socket of [client, server]) {
        socket.resetAndDestroy();
        this.#sockets.delete(socket);
      }
    };
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("error", end);
      from.on("close", end);
      from.on("data", (bytes) => {
        for (let at = 0; at < bytes.length && left > 0; ) {
          const size = Math.min(1 + Math.floor(this.options.random() * this.options.chunkBytes), Math.ceil(left));
          const piece = bytes.subarray(at, at + size);
          to.write(piece);
          at += piece.length;
          left -= piece.length;
        }
        if (left > 0) return;
        this.cuts++;
        // What was written gets a chance to arrive.
        setImmediate(end);
      });
    }
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
