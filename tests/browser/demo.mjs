// One running demo server: its own port, its own database, gone when the test is over.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const READY_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 10_000;
const LOG_LENGTH = 16_384;

export class Demo {
  #child = null;
  #log = "";

  /** `settings` are environment variables of the demo. */
  static async start({ validity = 3600, settings = {} } = {}) {
    const demo = new Demo();
    demo.settings = settings;
    demo.binary = process.env.DEMO_BIN;
    if (!demo.binary) throw new Error("DEMO_BIN is not set: it must hold the path of the demo server's binary.");
    demo.directory = await mkdtemp(join(tmpdir(), "supersession-demo-"));
    demo.port = await freePort();
    demo.origin = `http://127.0.0.1:${demo.port}`;
    demo.validity = validity;
    try {
      await demo.launch();
    } catch (error) {
      await demo.remove();
      throw error;
    }
    return demo;
  }

  /** Starts the server, for the first time or again on the same port and database, and waits until it answers. */
  async launch() {
    const env = {
      ...process.env,
      PORT: String(this.port),
      DATABASE: join(this.directory, "demo.db"),
      ACCESS_TOKEN_VALIDITY_SECONDS: String(this.validity),
      ...this.settings,
    };
    const child = spawn(this.binary, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => (this.#log = (this.#log + chunk).slice(-LOG_LENGTH)));
    }
    let failure = null;
    child.on("error", (error) => (failure = `it cannot be run: ${error.message}`));
    child.on("exit", (code, signal) => (failure ??= `it exited with ${signal ?? code}`));
    const deadline = Date.now() + READY_WITHIN_MS;
    // Asking is the only way to learn that a server of unknown make is up; the pause only spaces the questions out.
    while (!(await this.#answers())) {
      if (failure) throw new Error(`The demo server did not start: ${failure}.\n${this.#log}`);
      if (Date.now() > deadline) throw new Error(`The demo server did not answer within ${READY_WITHIN_MS} ms.\n${this.#log}`);
      await pause(25);
    }
  }

  async #answers() {
    try {
      const response = await fetch(`${this.origin}/api/feed`, { signal: AbortSignal.timeout(2_000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  async stop() {
    const child = this.#child;
    this.#child = null;
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    // A server that waits for the browser's idle connections must not hold up the run.
    const insist = setTimeout(() => child.kill("SIGKILL"), STOPPED_WITHIN_MS);
    await gone;
    clearTimeout(insist);
  }

  async remove() {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  get log() {
    return this.#log;
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
