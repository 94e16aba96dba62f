// SPDX-License-Identifier: Apache-2.0
/** A TCP proxy on loopback that can cut connections, refuse them, or let them fall silent. */
import { connect, createServer } from "node:net";

/** Starts a proxy to a port of this machine, asked for with each connection. */
export async function startProxy(targetPort) {
  const pairs = new Set();
  let refusing = false;
  let silent = false;
  const listener = createServer((inner) => {
    if (refusing) {
      inner.destroy();
      return;
    }
    const outer = connect(targetPort(), "127.0.0.1");
    const pair = { inner, outer, silent };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      // A silent network does not carry the news of an end either.
      if (pair.silent) return;
      inner.destroy();
      outer.destroy();
    };
    const carry = (from, to) => {
      from.on("data", (chunk) => pair.silent || to.write(chunk));
      from.on("close", end);
      from.on("error", end);
    };
    carry(inner, outer);
    carry(outer, inner);
  });
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    /** Resets every connection. */
    cut() {
      for (const { inner, outer } of [...pairs]) {
        inner.resetAndDestroy();
        outer.resetAndDestroy();
      }
    },
    /** Refuses new connections, or accepts them again. */
    refuse(on) {
      refusing = on;
    },
    /** Lets everything fall silent; ending the silence helps new connections only. */
    silence(on) {
      silent = on;
      if (on) for (const pair of pairs) pair.silent = true;
    },
    close() {
      listener.close();
      for (const { inner, outer } of [...pairs]) {
        inner.destroy();
        outer.destroy();
      }
    },
  };
}
