import { superTokensNextWrapper } from "supertokens-node/nextjs";
import Session from "supertokens-node/recipe/session";
import { init, userOf } from "../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export default async function handler(req, res) {
  await superTokensNextWrapper(
    () => Session.createNewSession(req, res, "public", userOf(req.query.userId)),
    req,
    res,
  );
  res.json({ status: "OK" });
}
