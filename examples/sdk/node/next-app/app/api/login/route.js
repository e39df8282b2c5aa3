import { withPreParsedRequestResponse } from "supertokens-node/nextjs";
import Session from "supertokens-node/recipe/session";
import { init, userOf } from "../../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export function POST(request) {
  return withPreParsedRequestResponse(request, async (req, res) => {
    await Session.createNewSession(req, res, "public", userOf(request.nextUrl.searchParams.get("userId")));
    return Response.json({ status: "OK" });
  });
}
