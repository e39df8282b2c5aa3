import Session from "supertokens-node/recipe/session";

// Session data without a verified request: all sessions of a user, by handle.
export async function notifyAllSessions(userId) {
  const handles = await Session.getAllSessionHandlesForUser(userId);
  for (const handle of handles) {
    const session = await Session.getSessionInformation(handle);
    if (session === undefined) continue; // it ended meanwhile
    await Session.updateSessionDataInDatabase(handle, {
      ...session.sessionDataInDatabase,
      notice: "terms changed",
    });
  }
  return { sessions: handles.length };
}
