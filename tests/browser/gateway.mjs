// A reverse proxy in front of the demo, and the website's server: TLS where asked for, files of its own, everything
// else forwarded byte for byte. It remembers what it has forwarded, and a test may do what networks do to an exchange.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export class Gateway {
  /** The exchanges with the server so far: method, path, the request's headers, and the answer once it is there. */
  exchanges = [];
  /** The port on the loopback interface that requests are forwarded to. */
  target = null;
  #rules = [];

  static async start({ host, tls = false, files = new Map() }) {
    const gateway = new Gateway();
    gateway.files = files;
    const serve = (request, response) => {
      gateway.#serve(request, response).catch((error) => response.destroy(error));
    };
    gateway.server = tls ? https.createServer(await certificate(), serve) : http.createServer(serve);
    gateway.server.listen(0, "127.0.0.1");
    await once(gateway.server, "listening");
    gateway.origin = `${tls ? "https" : "http"}://${host}:${gateway.server.address().port}`;
    return gateway;
  }

  /**
   * Handles calls to a path otherwise, until the function that it returns is called. `handle` gets the exchange, which
   * can be forwarded to the server, replied to, or lost.
   */
  intercept(method, path, handle) {
    const rule = { method, path, handle };
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  calls(method, path) {
    return this.exchanges.filter((exchange) => exchange.method === method && exchange.path === path);
  }

  async close() {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  async #serve(request, response) {
    const path = new URL(request.url, this.origin).pathname;
    const file = this.files.get(path);
    if (file) {
      response.writeHead(200, { "content-type": file.type, "cache-control": "no-store" }).end(file.body);
      return;
    }
    if (this.target === null) {
      response.writeHead(404).end();
      return;
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const exchange = new Exchange(this.target, request, Buffer.concat(chunks), response, path);
    // Preflights are the browser's own.
    if (request.method !== "OPTIONS") this.exchanges.push(exchange);
    const rule = this.#rules.find(({ method, path }) => method === request.method && path === exchange.path);
    if (rule) await rule.handle(exchange);
    else exchange.reply(await exchange.forward());
  }
}

class Exchange {
  #request;
  #body;
  #response;
  #target;

  constructor(target, request, body, response, path) {
    this.#target = target;
    this.#request = request;
    this.#body = body;
    this.#response = response;
    this.method = request.method;
    this.path = path;
    this.headers = request.headers;
    /** The answer of the server: status, headers as a flat list of names and values, body. */
    this.answer = null;
  }

  /** Asks the server, and returns its whole answer. */
  async forward() {
    const request = http.request({
      host: "127.0.0.1",
      port: this.#target,
      method: this.#request.method,
      path: this.#request.url,
      headers: without(this.#request.rawHeaders, ["connection"]),
      agent: false,
    });
    request.end(this.#body);
    const [response] = await once(request, "response");
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    const { statusCode: status, rawHeaders } = response;
    this.answer = { status, headers: rawHeaders, body: Buffer.concat(chunks) };
    return this.answer;
  }

  reply({ status, headers = [], body = "" }) {
    const own = without(headers, ["connection", "keep-alive", "transfer-encoding", "content-length"]);
    this.#response.writeHead(status, [...own, "content-length", String(Buffer.byteLength(body))]).end(body);
  }

  /** The connection breaks, and the client never learns what became of its request. */
  lose() {
    this.#response.socket.destroy();
  }

  /** The values of one of the answer's headers. */
  answered(name) {
    const { headers } = this.answer;
    return headers.filter((_, at) => at % 2 === 1 && headers[at - 1].toLowerCase() === name);
  }

  /** The value of a cookie that the request carries. */
  cookie(name) {
    const pairs = (this.headers.cookie ?? "").split("; ").map((pair) => pair.split("="));
    return pairs.find(([key]) => key === name)?.[1];
  }
}

/** A flat list of header names and values, without these. */
export function without(headers, names) {
  return headers.filter((_, at) => !names.includes(headers[at - (at % 2)].toLowerCase()));
}

let pair;

/** A self-signed certificate for the hosts of the tests, made when the first test needs it. */
function certificate() {
  pair ??= makeCertificate();
  return pair;
}

async function makeCertificate() {
  const folder = await mkdtemp(join(tmpdir(), "supersession-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const make = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"];
  const names = ["-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:*.example.com,DNS:*.example.org,DNS:*.example.net"];
  try {
    await promisify(execFile)("openssl", [...make, ...names, "-keyout", key, "-out", cert]);
    return { key: await readFile(key), cert: await readFile(cert) };
  } catch (error) {
    throw new Error("no certificate could be made; is `openssl` installed?", { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
