import { notifyAllSessions } from "../../../offline.mjs";
import { init } from "../../../supertokens.mjs";

init({ apiBasePath: "/api/auth" });

export default async function handler(req, res) {
  res.json(await notifyAllSessions(req.query.userId));
}
