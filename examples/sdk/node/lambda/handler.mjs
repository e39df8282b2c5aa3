import { middleware } from "supertokens-node/framework/awsLambda";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/awsLambda";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { notifyAllSessions } from "../offline.mjs";
import { init, userOf } from "../supertokens.mjs";

init({ framework: "awsLambda" });

const json = (body) => ({
  statusCode: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

// The SDK's own routes: refresh and sign-out.
export const auth = middleware();

export const login = middleware(async (event) => {
  await Session.createNewSession(event, event, "public", userOf(event.queryStringParameters.userId));
  return json({ status: "OK" });
});

export const sessionData = verifySession(async ({ session }) => {
  const data = await session.getSessionDataFromDatabase();
  const visits = (data.visits ?? 0) + 1;
  await session.updateSessionDataInDatabase({ ...data, visits });
  return json({ visits });
});

export const offline = async (event) => json(await notifyAllSessions(event.queryStringParameters.userId));

export const updateMetadata = verifySession(async ({ session }) => {
  await UserMetadata.updateUserMetadata(session.getUserId(), { theme: "dark", draft: null });
  const { metadata } = await UserMetadata.getUserMetadata(session.getUserId());
  return json(metadata);
});

export const clearMetadata = verifySession(async ({ session }) => {
  await UserMetadata.clearUserMetadata(session.getUserId());
  return json({});
});
