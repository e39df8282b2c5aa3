import { withSession } from "supertokens-node/nextjs";
import { init } from "../../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export function POST(request) {
  return withSession(request, async (error, session) => {
    if (error) throw error;
    const data = await session.getSessionDataFromDatabase();
    const visits = (data.visits ?? 0) + 1;
    await session.updateSessionDataInDatabase({ ...data, visits });
    return Response.json({ visits });
  });
}
