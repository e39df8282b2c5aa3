// The front ends of `client/`, bundled as an application's build does it: the SDKs come from npm as they are.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const FRONT_ENDS = ["website", "web-js"];

let files;

/** The files of the website, by path: a page and a script for each front end. */
export function websiteFiles() {
  files ??= bundle();
  return files;
}

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: FRONT_ENDS.map((name) => fileURLToPath(new URL(`client/${name}.js`, import.meta.url))),
    outdir: "/",
    bundle: true,
    format: "iife",
    platform: "browser",
    logLevel: "warning",
    write: false,
  });
  const all = new Map();
  for (const name of FRONT_ENDS) {
    const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${name}</title><script src="/${name}.js"></script>`;
    const script = outputFiles.find(({ path }) => path.endsWith(`${name}.js`)).text;
    all.set(`/${name}.html`, { type: "text/html; charset=utf-8", body: page });
    all.set(`/${name}.js`, { type: "text/javascript; charset=utf-8", body: script });
  }
  return all;
}
