import { superTokensNextWrapper } from "supertokens-node/nextjs";
import { verifySession } from "supertokens-node/recipe/session/framework/express";
import { init } from "../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export default async function handler(req, res) {
  await superTokensNextWrapper((next) => verifySession()(req, res, next), req, res);
  const visits = await superTokensNextWrapper(async () => {
    const data = await req.session.getSessionDataFromDatabase();
    const visits = (data.visits ?? 0) + 1;
    await req.session.updateSessionDataInDatabase({ ...data, visits });
    return visits;
  }, req, res);
  res.json({ visits });
}
