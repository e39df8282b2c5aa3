// The SDK's own routes: refresh and sign-out.
import { middleware } from "supertokens-node/framework/express";
import { superTokensNextWrapper } from "supertokens-node/nextjs";
import { init } from "../../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export default async function handler(req, res) {
  await superTokensNextWrapper((next) => middleware()(req, res, next), req, res);
  if (!res.writableEnded) res.status(404).end();
}
