-- Where a session is used. Not SuperTokens' columns; all are nullable, so that its tools need not know them.

ALTER TABLE session_info ADD COLUMN device_user_agent TEXT;
ALTER TABLE session_info ADD COLUMN device_ip VARCHAR(45);
ALTER TABLE session_info ADD COLUMN device_label TEXT;
ALTER TABLE session_info ADD COLUMN last_seen_at BIGINT;
