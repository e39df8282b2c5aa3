import { withSession } from "supertokens-node/nextjs";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { init } from "../../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export function POST(request) {
  return withSession(request, async (error, session) => {
    if (error) throw error;
    await UserMetadata.updateUserMetadata(session.getUserId(), { theme: "dark", draft: null });
    const { metadata } = await UserMetadata.getUserMetadata(session.getUserId());
    return Response.json(metadata);
  });
}

export function DELETE(request) {
  return withSession(request, async (error, session) => {
    if (error) throw error;
    await UserMetadata.clearUserMetadata(session.getUserId());
    return Response.json({});
  });
}
