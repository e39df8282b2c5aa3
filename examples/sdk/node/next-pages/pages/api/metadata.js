import { superTokensNextWrapper } from "supertokens-node/nextjs";
import { verifySession } from "supertokens-node/recipe/session/framework/express";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { init } from "../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export default async function handler(req, res) {
  await superTokensNextWrapper((next) => verifySession()(req, res, next), req, res);
  const userId = req.session.getUserId();
  if (req.method === "DELETE") {
    await UserMetadata.clearUserMetadata(userId);
    return res.json({});
  }
  await UserMetadata.updateUserMetadata(userId, { theme: "dark", draft: null });
  const { metadata } = await UserMetadata.getUserMetadata(userId);
  res.json(metadata);
}
