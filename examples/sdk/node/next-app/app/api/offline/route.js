import { notifyAllSessions } from "../../../../offline.mjs";
import { init } from "../../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export async function POST(request) {
  return Response.json(await notifyAllSessions(request.nextUrl.searchParams.get("userId")));
}
