// The SDK's own routes: refresh and sign-out.
import { getAppDirRequestHandler } from "supertokens-node/nextjs";
import { init } from "../../../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

const handler = getAppDirRequestHandler();
export { handler as DELETE, handler as GET, handler as POST, handler as PUT };
